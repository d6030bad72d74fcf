/** What a control group's path says. */
import { expect, test } from 'vitest';
import { groupOf } from '../../agent/cgroup.ts';

const ID = '0123456789ab'.repeat(5) + 'cdef';
const rows = [
  { path: '/', unit: undefined, container: undefined },
  { path: '', unit: undefined, container: undefined },
  { path: '/system.slice/ssh.service', unit: 'ssh.service', container: undefined },
  { path: '/user.slice/user-1000.slice/session-3.scope', unit: 'session-3.scope', container: undefined },
  { path: '/user.slice', unit: 'user.slice', container: undefined },
  { path: '/system.slice/a.service/inner', unit: 'a.service', container: undefined },
  { path: `/system.slice/docker-${ID}.scope`, unit: `docker-${ID}.scope`, container: '0123456789ab' },
  { path: `/docker/${ID}`, unit: undefined, container: '0123456789ab' },
  { path: `/docker/${ID}/init.scope`, unit: 'init.scope', container: '0123456789ab' },
  { path: `/docker/${ID}0`, unit: undefined, container: undefined },
  { path: '/a.servicex', unit: undefined, container: undefined },
];
for (const { path, ...group } of rows) test(path, () => expect(groupOf(path)).toEqual(group));
