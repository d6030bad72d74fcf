/** The deeds of `actions-privilege.c` on the oldest kernel that is promised: what is done there is what is said there. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect } from 'vitest';
import { FrameDecoder } from '../../agent/sources/frames.ts';
import {
  PRIVILEGE_DEEDS,
  privilegeIsSaid,
  REFUSED_DEEDS,
  type Deed,
  type DeedDone,
  type PrivilegeScene,
} from './deeds-privilege.ts';
import { numbersSaid } from './deeds.ts';
import { boot, compile, directoryEntry, fileEntry, kernelOf, type Entry, type Story } from './machine.ts';
import { CHECKOUT } from './stack.ts';
import { buildSensor, SENSOR } from './watched.ts';

const placeOf = (deed: Deed): string => `/deeds/${deed}`;
const step = (deed: Deed, user: string): string => `do ${deed} ${user} /bin/actions-privilege ${deed} ${placeOf(deed)}`;

const PLAN = [
  'record',
  'start sensor sensor /bin/sensor --socket /run/agent.sock --merge-ms 0',
  'heard',
  ...PRIVILEGE_DEEDS.map((deed) => step(deed, 'root')),
  ...REFUSED_DEEDS.map((deed) => step(deed, 'nobody')),
  'stop sensor',
];

/** `libusual.so` lies where libraries do. */
function files(): readonly Entry[] {
  const work = mkdtempSync(join(tmpdir(), 'hushwatch-kernel-'));
  try {
    const actions = compile(join(work, 'actions'), join(CHECKOUT, 'test/e2e/actions-privilege.c'));
    return [
      ...['usr', 'usr/lib', 'deeds'].map((path) => directoryEntry(path)),
      ...[...PRIVILEGE_DEEDS, ...REFUSED_DEEDS].map((deed) => directoryEntry(placeOf(deed).slice(1), 0o777)),
      fileEntry('usr/lib/libusual.so', Buffer.alloc(4096), 0o755),
      fileEntry('etc/hostname', 'machine\n'),
      fileEntry('bin/actions-privilege', readFileSync(actions), 0o755),
      fileEntry('bin/sensor', readFileSync(SENSOR), 0o755),
    ];
  } finally {
    rmSync(work, { recursive: true });
  }
}

function doneIn(story: Story, deed: Deed): DeedDone {
  const { pid, status, said } = story.step(deed);
  expect({ deed, status, said }).toMatchObject({ status: 0 });
  return { pid, at: placeOf(deed), output: said, said: numbersSaid(said) };
}

function sceneOf(story: Story): PrivilegeScene {
  const frames = new FrameDecoder().push(story.frames);
  const counters = frames.at(-1);
  if (counters?.kind !== 'counters') throw new Error('the sensor did not end with its counters');
  const actions = '/bin/actions-privilege';
  return { frames, counters, did: (deed) => doneIn(story, deed), actions, hasKexec: true, has32Bit: true };
}

describe('Linux 6.1', () => {
  let scene: PrivilegeScene | undefined;
  beforeAll(async () => {
    buildSensor();
    scene = sceneOf(await boot(kernelOf('linux-image-cloud-amd64'), files(), PLAN));
  });

  privilegeIsSaid(() => scene ?? expect.fail('the machine did not boot'));
});
