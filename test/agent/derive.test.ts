/** What file events mean: one action, one event, for everything that people and tools do to accounts, services and tasks. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ATTRIBUTES, EVENTS, type AttributeName, type EventName } from '#protocol/vocabulary.ts';
import { derive, Deriver } from '../../agent/derive.ts';
import { canonical, placeOf } from '../../agent/derive/places.ts';
import type { Attributes, RawEvent } from '../../agent/event.ts';
import { isOfType } from '../../redaction-rules/ruleset.ts';
import { FakeFiles } from './derive/fake-files.ts';

const PASSWD = 'root:x:0:0:root:/root:/bin/bash\nalex:x:1000:1000:Alex:/home/alex:/bin/bash\n';
const GROUP = 'root:x:0:\nsudo:x:27:\nalex:x:1000:\n';

/** A node, its files, and processes that work on them. */
class Node {
  readonly files = new FakeFiles();
  readonly told: RawEvent[] = [];
  readonly #args = new Map<number, readonly string[]>();
  readonly #deriver: Deriver;
  #pids = 100;

  constructor(...more: readonly string[]) {
    this.files.put('/etc/passwd', PASSWD);
    this.files.put('/etc/group', GROUP);
    this.files.put('/etc/shadow', 'secret');
    this.files.put('/etc/gshadow', 'secret');
    for (const path of more) this.files.put(path);
    this.#deriver = new Deriver(this.files, (pid) => this.#args.get(pid));
    this.wait(5_000);
  }

  process(...args: readonly string[]): number {
    this.#args.set(++this.#pids, args);
    return this.#pids;
  }

  event(name: EventName, pid: number, attributes: Attributes = {}, atMs = this.files.nowMs): void {
    this.#deriver.note(
      {
        name,
        time: atMs * 1_000,
        fromSensor: true,
        attributes: {
          'process.entity.id': `${pid}-1`,
          'process.pid': pid,
          'process.executable.path': `/usr/sbin/${this.#args.get(pid)?.[0] ?? '?'}`,
          'event.repeats': 3,
          ...attributes,
        },
      },
      this.files.nowMs,
    );
  }

  /** As the sensor's chunks come. */
  chunk(): void {
    this.told.push(...this.#deriver.ready(this.files.nowMs));
  }

  wait(ms: number): void {
    for (let gone = 0; gone < ms; gone += 250) {
      this.files.nowMs += 250;
      this.chunk();
    }
  }

  open(pid: number, path: string, created = false): void {
    this.event('file.open', pid, { 'file.path': path, 'file.open.access': 'write', 'file.open.created': created });
  }

  /** As shadow's tools, dpkg, crontab and editors do: a new file beside the old one takes its place. */
  replace(pid: number, path: string, text: string, temporary = `${path}+`): void {
    this.open(pid, temporary, true);
    this.files.nowMs += 1;
    this.files.put(path, text);
    this.event('file.rename', pid, { 'file.path': temporary, 'file.target.path': path });
  }

  exit(pid: number): void {
    this.event('process.exit', pid);
    this.chunk();
  }

  edit(pid: number, file: string, change: (text: string) => string): void {
    this.replace(pid, `/etc/${file}`, change(this.files.text(`/etc/${file}`)));
  }

  /** What useradd was seen to do under strace. */
  useradd(name: string, uid: number): number {
    const pid = this.process('useradd', '-m', name);
    for (const file of ['passwd', 'group', 'gshadow', 'shadow']) this.open(pid, `/etc/${file}`);
    this.edit(pid, 'passwd', (text) => `${text}${name}:x:${uid}:${uid}::/home/${name}:/bin/sh\n`);
    this.edit(pid, 'shadow', (text) => `${text}${name}`);
    this.edit(pid, 'group', (text) => `${text}${name}:x:${uid}:\n`);
    this.edit(pid, 'gshadow', (text) => `${text}${name}`);
    return pid;
  }

  names(): string[] {
    return this.told.map(({ name }) => name);
  }
}

function checkVocabulary({ name, attributes, fromSensor }: RawEvent): void {
  expect(fromSensor).toBeUndefined();
  const listed: readonly string[] = EVENTS[name].attributes;
  for (const [attribute, value] of Object.entries(attributes)) {
    expect(listed, name).toContain(attribute);
    if (value === undefined) continue;
    const { type } = ATTRIBUTES[attribute as AttributeName]; // oxlint-disable-line no-unsafe-type-assertion -- it is listed
    expect(isOfType(value, type), `${name} ${attribute} is ${type}`).toBe(true);
  }
}

interface Row {
  readonly name: string;
  readonly before?: readonly string[];
  readonly done: (node: Node) => void;
  readonly told: readonly { readonly event: EventName; readonly attributes?: Attributes }[];
}

const rows: readonly Row[] = [
  {
    name: 'useradd: one account, one group, although four files are written',
    done: (node) => node.exit(node.useradd('robin', 1001)),
    told: [
      {
        event: 'user.account.create',
        attributes: {
          'user.name': 'robin',
          'user.id': 1001,
          'process.pid': 101,
          'process.executable.path': '/usr/sbin/useradd',
          'event.repeats': undefined,
        },
      },
      { event: 'user.group.create', attributes: { 'user.group.name': 'robin', 'user.group.id': 1001 } },
    ],
  },
  {
    name: 'a tool that goes on living: told when it is quiet',
    done: (node) => {
      node.useradd('robin', 1001);
      node.chunk();
      expect(node.told).toEqual([]);
      node.wait(1_500);
    },
    told: [{ event: 'user.account.create' }, { event: 'user.group.create' }],
  },
  {
    name: 'usermod -s',
    done: (node) => {
      const pid = node.process('usermod', '-s', '/bin/zsh', 'alex');
      node.edit(pid, 'passwd', (text) => text.replace('alex:/bin/bash', 'alex:/bin/zsh'));
      node.exit(pid);
    },
    told: [{ event: 'user.account.change', attributes: { 'user.name': 'alex', 'user.changes': ['shell'] } }],
  },
  {
    name: 'passwd: the file that says so cannot be read, that it changed is enough',
    done: (node) => {
      const pid = node.process('passwd', 'alex');
      node.replace(pid, '/etc/shadow', 'other', '/etc/nshadow');
      node.exit(pid);
    },
    told: [
      {
        event: 'user.account.change',
        attributes: { 'user.name': 'alex', 'user.id': 1000, 'user.changes': ['password'] },
      },
    ],
  },
  {
    name: 'chpasswd: whose password it was is not known',
    done: (node) => {
      const pid = node.process('chpasswd');
      node.replace(pid, '/etc/shadow', 'other');
      node.exit(pid);
    },
    told: [{ event: 'user.account.change', attributes: { 'user.name': undefined, 'user.changes': ['password'] } }],
  },
  {
    name: 'usermod -aG: who became a member of what',
    done: (node) => {
      const pid = node.process('usermod', '-aG', 'sudo', 'alex');
      for (const file of ['passwd', 'shadow', 'group', 'gshadow']) node.open(pid, `/etc/${file}`);
      node.edit(pid, 'group', (text) => text.replace('sudo:x:27:', 'sudo:x:27:alex'));
      node.edit(pid, 'gshadow', (text) => `${text}x`);
      node.exit(pid);
    },
    told: [
      {
        event: 'user.group.change',
        attributes: {
          'user.group.name': 'sudo',
          'user.group.changes': ['members'],
          'user.group.members.added': ['alex'],
          'user.group.members.removed': undefined,
        },
      },
    ],
  },
  {
    name: 'userdel',
    done: (node) => {
      const pid = node.process('userdel', 'alex');
      node.edit(pid, 'passwd', (text) => text.replace(/alex.*\n/, ''));
      node.edit(pid, 'shadow', () => 'less');
      node.edit(pid, 'group', (text) => text.replace(/alex.*\n/, ''));
      node.edit(pid, 'gshadow', () => 'less');
      node.exit(pid);
    },
    told: [
      { event: 'user.account.delete', attributes: { 'user.name': 'alex', 'user.id': 1000 } },
      { event: 'user.group.delete', attributes: { 'user.group.name': 'alex' } },
    ],
  },
  {
    name: 'a line appended in place, long after the file was opened',
    done: (node) => {
      const pid = node.process('sh');
      node.open(pid, '/etc/passwd');
      node.wait(20_000);
      node.files.put('/etc/passwd', `${PASSWD}twin:x:0:0::/root:/bin/sh\n`);
      node.wait(2_000);
    },
    told: [{ event: 'user.account.create', attributes: { 'user.name': 'twin', 'user.id': 0, 'process.pid': 101 } }],
  },
  {
    name: 'an editor that writes in place deletes nobody in between',
    done: (node) => {
      const pid = node.process('vi');
      node.open(pid, '/etc/passwd');
      node.files.put('/etc/passwd', '');
      node.wait(500);
      node.files.put('/etc/passwd', `${PASSWD}robin:x:1001:1001::/:/bin/sh\n`);
      node.exit(pid);
    },
    told: [{ event: 'user.account.create', attributes: { 'user.name': 'robin' } }],
  },
  {
    name: 'a change that no event tells is found; who did it is not',
    done: (node) => {
      node.files.put('/etc/passwd', `${PASSWD}robin:x:1001:1001::/:/bin/sh\n`);
      node.wait(4_000);
    },
    told: [{ event: 'user.account.create', attributes: { 'user.name': 'robin', 'process.pid': undefined } }],
  },
  {
    name: 'the same in a chroot: the files of the node did not change',
    done: (node) => {
      const pid = node.process('useradd', 'robin');
      for (const file of ['passwd', 'shadow', 'group', 'gshadow'])
        node.event('file.rename', pid, { 'file.path': `/etc/${file}+`, 'file.target.path': `/etc/${file}` });
      node.exit(pid);
      node.open(node.process('sh'), '/etc/cron.d/job', true);
      node.event('file.link', pid, {
        'file.path': 'x.service',
        'file.target.path': '/etc/systemd/system/multi-user.target.wants/x.service',
      });
      node.wait(70_000);
    },
    told: [],
  },
  {
    name: 'what was refused is not done',
    done: (node) => {
      node.files.put('/etc/cron.d/job');
      node.event('file.open', node.process('sh'), {
        'file.path': '/etc/cron.d/job',
        'file.open.access': 'write',
        'error.type': 'EACCES',
      });
      node.wait(2_000);
    },
    told: [],
  },
  {
    name: 'a key is added; whose is known by the home',
    done: (node) => {
      node.files.hidden.add('/home/alex/');
      const pid = node.process('sh');
      node.open(pid, '/home/alex/.ssh/authorized_keys');
      node.exit(pid);
    },
    told: [
      {
        event: 'user.credential.change',
        attributes: { 'user.name': 'alex', 'user.id': 1000, 'file.path.verified': false },
      },
    ],
  },
  {
    name: 'a unit file, written and enabled by one process',
    done: (node) => {
      const pid = node.process('install');
      node.open(pid, '/etc/systemd/system/backup.service', true);
      node.files.put('/etc/systemd/system/backup.service');
      const link = '/etc/systemd/system/multi-user.target.wants/backup.service';
      node.files.put(link);
      node.event('file.link', pid, { 'file.path': '../backup.service', 'file.target.path': link });
      node.exit(pid);
    },
    told: [
      {
        event: 'service.create',
        attributes: {
          'service.name': 'backup.service',
          'service.changes': ['definition', 'enabled'],
          'file.path': '/etc/systemd/system/backup.service',
          'file.path.verified': true,
        },
      },
    ],
  },
  {
    name: 'a package brings a unit under its older path',
    done: (node) => {
      const pid = node.process('dpkg');
      node.files.put('/usr/lib/systemd/system/x.service');
      node.event('file.rename', pid, {
        'file.path': '/lib/systemd/system/x.service.dpkg-new',
        'file.target.path': '/lib/systemd/system/x.service',
      });
      node.exit(pid);
    },
    told: [{ event: 'service.create', attributes: { 'service.name': 'x.service' } }],
  },
  {
    name: 'a drop-in changes a service that is there',
    before: ['/usr/lib/systemd/system/ssh.service'],
    done: (node) => {
      const pid = node.process('sh');
      node.open(pid, '/etc/systemd/system/ssh.service.d/x.conf', true);
      node.files.put('/etc/systemd/system/ssh.service.d/x.conf');
      node.exit(pid);
    },
    told: [{ event: 'service.change', attributes: { 'service.name': 'ssh.service', 'service.changes': ['drop-in'] } }],
  },
  {
    name: 'an override goes, the service stays; then it goes too',
    before: ['/usr/lib/systemd/system/ssh.service', '/etc/systemd/system/ssh.service'],
    done: (node) => {
      for (const path of ['/etc/systemd/system/ssh.service', '/usr/lib/systemd/system/ssh.service']) {
        const pid = node.process('rm');
        node.files.remove(path);
        node.event('file.delete', pid, { 'file.path': path });
        node.exit(pid);
      }
    },
    told: [{ event: 'service.change' }, { event: 'service.delete', attributes: { 'service.name': 'ssh.service' } }],
  },
  {
    name: 'a timer is a scheduled task',
    done: (node) => {
      const pid = node.process('cp');
      node.open(pid, '/etc/systemd/system/backup.timer', true);
      node.files.put('/etc/systemd/system/backup.timer');
      node.exit(pid);
    },
    told: [{ event: 'task.schedule.create', attributes: { 'task.name': 'backup.timer', 'task.scheduler': 'systemd' } }],
  },
  {
    name: 'sed -i on a cron file: its temporary name is nothing',
    before: ['/etc/cron.d/job'],
    done: (node) => {
      const pid = node.process('sed');
      node.replace(pid, '/etc/cron.d/job', 'x', '/etc/cron.d/sedAbC123');
      node.exit(pid);
    },
    told: [{ event: 'task.schedule.change', attributes: { 'task.name': 'job', 'task.scheduler': 'cron' } }],
  },
  {
    name: 'crontab: the directory is not ours to look into',
    done: (node) => {
      node.files.hidden.add('/var/spool/cron/crontabs/');
      const pid = node.process('crontab');
      node.replace(pid, '/var/spool/cron/crontabs/alex', 'x', '/var/spool/cron/crontabs/tmp.4u7hFd');
      node.exit(pid);
    },
    told: [
      {
        event: 'task.schedule.change',
        attributes: { 'user.name': 'alex', 'task.name': undefined, 'file.path.verified': false },
      },
    ],
  },
  {
    name: 'at, and the job that runs',
    done: (node) => {
      const job = '/var/spool/cron/atjobs/a0000101b2c3d4';
      const at = node.process('at');
      node.open(at, job, true);
      node.files.put(job);
      node.exit(at);
      const atd = node.process('atd');
      node.files.remove(job);
      node.event('file.rename', atd, { 'file.path': job, 'file.target.path': job.replace('/a0', '/=0') });
      node.exit(atd);
    },
    told: [
      { event: 'task.schedule.create', attributes: { 'task.scheduler': 'at' } },
      { event: 'task.schedule.delete' },
    ],
  },
];

test.each(rows)('$name', ({ before = [], done, told }) => {
  const node = new Node(...before);
  done(node);
  node.wait(6_000);
  expect(node.names()).toEqual(told.map(({ event }) => event));
  for (const [i, event] of node.told.entries()) {
    checkVocabulary(event);
    for (const [name, value] of Object.entries(told[i]?.attributes ?? {}))
      expect(event.attributes[name as AttributeName], name).toEqual(value); // oxlint-disable-line no-unsafe-type-assertion -- from the table
  }
});

test('many useradds, their events cut into chunks anywhere: each account once, each by its own process', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.stringMatching(/^[a-z][a-z0-9]{2,6}$/), { minLength: 1, maxLength: 12 }),
      fc.array(fc.constantFrom('chunk', 'wait', 'exit', 'nothing'), { maxLength: 12 }),
      (names, between) => {
        const node = new Node();
        const taken = new Set(['root', 'alex', 'sudo']);
        const mine = names.filter((name) => !taken.has(name));
        const pids = new Map<string, number>();
        for (const [i, name] of mine.entries()) {
          const pid = node.useradd(name, 2_000 + i);
          pids.set(name, pid);
          if (between[i] === 'chunk') node.chunk();
          if (between[i] === 'wait') node.wait(1_500);
          if (between[i] === 'exit') node.exit(pid);
        }
        node.wait(10_000);
        const created = node.told.filter(({ name }) => name === 'user.account.create');
        expect(created.map(({ attributes }) => String(attributes['user.name'])).toSorted()).toEqual(mine.toSorted());
        for (const { attributes } of created)
          expect(attributes['process.pid']).toBe(pids.get(String(attributes['user.name'])));
        expect(node.names().filter((name) => name === 'user.group.create')).toHaveLength(mine.length);
        expect(node.told).toHaveLength(2 * mine.length);
      },
    ),
  );
});

test('a file is read before the event of who wrote it comes: the one before it did not do it', () => {
  const node = new Node();
  const useradd = node.useradd('robin', 1_001);
  const wroteAtMs = (node.files.nowMs += 100);
  node.files.put('/etc/passwd', node.files.text('/etc/passwd').replace(':/bin/sh', ':/bin/dash'));
  node.exit(useradd);
  node.wait(3_000);
  const usermod = node.process('usermod', '-s', '/bin/dash', 'robin');
  node.event('file.rename', usermod, { 'file.path': '/etc/passwd+', 'file.target.path': '/etc/passwd' }, wroteAtMs);
  node.exit(usermod);
  node.wait(8_000);
  const said = node.told.map(({ name, attributes }) => `${name} ${String(attributes['process.pid'])}`);
  // One look found both: who made the account is who made it, and the other changed something.
  expect(said.toSorted()).toEqual([
    `user.account.change ${usermod}`,
    `user.account.create ${useradd}`,
    `user.group.create ${useradd}`,
  ]);
});

test('tools one after the other, events late by any time, looks at any time: each did what it did', () => {
  const tool = fc.record({
    gapMs: fc.integer({ min: 8, max: 300 }),
    lastsMs: fc.integer({ min: 0, max: 5 }),
    lateMs: fc.integer({ min: 0, max: 1_500 }),
  });
  const looks = fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(fc.array(tool, { minLength: 1, maxLength: 12 }), looks, (tools, everyMs) => {
      const node = new Node();
      const beganMs = node.files.nowMs;
      let [atMs, heardMs, lookMs, next] = [beganMs, beganMs, beganMs, 0];
      // Its arguments name nobody, so times alone can tell.
      const todo = tools.flatMap(({ gapMs, lastsMs, lateMs }, i) => {
        atMs += gapMs;
        heardMs = Math.max(heardMs, atMs + lateMs);
        const [pid, wroteMs] = [node.process('newusers'), atMs];
        const wrote = (): void =>
          node.files.put('/etc/passwd', `${node.files.text('/etc/passwd')}u${i}:x:${i}:0::/:/\n`);
        const renamed = { 'file.path': '/etc/passwd+', 'file.target.path': '/etc/passwd' };
        const heard = (): void => node.event('file.rename', pid, renamed, wroteMs + lastsMs);
        return [{ atMs: wroteMs, deed: wrote }, { atMs: heardMs, deed: heard }]; // prettier-ignore
      });
      for (const { atMs: dueMs, deed } of todo.toSorted((a, b) => a.atMs - b.atMs)) {
        for (; lookMs < dueMs; lookMs += everyMs[next++ % everyMs.length] ?? 1) {
          node.files.nowMs = lookMs;
          node.chunk();
        }
        node.files.nowMs = dueMs;
        deed();
      }
      node.wait(10_000);
      const made = node.told.filter(({ name }) => name === 'user.account.create');
      expect(
        made
          .map(({ attributes }) => `${String(attributes['user.name'])} ${String(attributes['process.pid'])}`)
          .toSorted(),
      ).toEqual(tools.map((_, i) => `u${i} ${101 + i}`).toSorted());
      expect(node.told).toHaveLength(tools.length);
    }),
    { numRuns: 200 },
  );
});

test('any file events whatever, in any order: nothing breaks, nothing is told of files that did not change', () => {
  const path = fc.oneof(
    fc.constantFrom(
      '/etc/passwd',
      '/etc/shadow',
      '/etc/cron.d/a',
      '/etc/systemd/system/a.service',
      '/etc/systemd/system/a.timer',
      '/etc/init.d/a',
      '/etc/../etc/group',
      '',
      'relative',
    ),
    fc.string({ maxLength: 20 }),
  );
  const name = fc.constantFrom<EventName>(
    'file.open',
    'file.rename',
    'file.delete',
    'file.link',
    'file.mode.change',
    'process.exit',
    'process.exec',
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(name, path, path, fc.nat(5), fc.boolean()), { maxLength: 60 }), (events) => {
      const node = new Node(
        '/etc/cron.d/a',
        '/etc/systemd/system/a.service',
        '/etc/systemd/system/a.timer',
        '/etc/init.d/a',
      );
      for (const [event, one, two, pid, flag] of events) {
        node.event(event, pid, {
          'file.path': one,
          'file.target.path': two,
          'file.open.access': 'write',
          'file.open.created': flag,
        });
        if (flag) node.chunk();
      }
      node.wait(70_000);
      // The node's files all stand as they stood: what is told of their going would be false.
      expect(node.told).toEqual([]);
    }),
  );
});

test('places: what is read by nobody is no place', () => {
  const kinds = (path: string): string | undefined => placeOf(canonical(path))?.kind;
  expect(kinds('/lib/systemd/system/x.service')).toBe('service');
  expect(kinds('/var/run/systemd/system/x.service')).toBe('service');
  expect(kinds('/etc/rc2.d/S01ssh')).toBe('service');
  expect(kinds('/home/alex/.config/systemd/user/x.service')).toBe('service');
  expect(kinds('/home/alex/.config/systemd/user/default.target.wants/x.timer')).toBe('task');
  expect(kinds('/root/.ssh/authorized_keys')).toBe('credential');
  expect(kinds('/var/spool/cron/alex')).toBe('task');
  for (const path of [
    '/etc/passwd-',
    '/etc/passwd+',
    '/etc/cron.d/job.dpkg-new',
    '/etc/cron.d/.placeholder',
    '/etc/systemd/system/x.service.dpkg-new',
    '/etc/systemd/system/.#x.serviceAbc',
    '/etc/rc2.d/K01ssh',
    '/var/spool/cron/crontabs',
    '/var/spool/cron/crontabs/tmp.abc',
    '/var/spool/cron/atjobs/.SEQ',
    '/srv/etc/passwd',
  ])
    expect(kinds(path), path).toBeUndefined();
});

test('the stage: file events first and unchanged, what they mean after them, the last word at the end', async () => {
  const files = new FakeFiles();
  files.put('/etc/cron.d/job');
  const opened: RawEvent = {
    name: 'file.open',
    time: files.nowMs * 1_000,
    fromSensor: true,
    attributes: { 'process.entity.id': 'x', 'file.path': '/etc/cron.d/job', 'file.open.access': 'write' },
  };
  const out: RawEvent[][] = [];
  for await (const chunk of derive(
    (async function* () {
      yield [opened];
      yield [];
    })(),
    new Deriver(files, () => undefined),
    () => files.nowMs,
  ))
    out.push([...chunk]);
  expect(out[0]).toEqual([opened]);
  expect(out.flat().map(({ name }) => name)).toEqual(['file.open', 'task.schedule.change']);
});

test('bounded: ten thousand actors at once', () => {
  const node = new Node();
  for (let i = 0; i < 10_000; i++) node.open(node.process('sh'), '/etc/passwd');
  for (let i = 0; i < 10_000; i++) node.open(node.process('sh'), `/etc/cron.d/j${i}`);
  node.files.nowMs += 2_000;
  node.wait(70_000);
  expect(node.told).toEqual([]);
});
