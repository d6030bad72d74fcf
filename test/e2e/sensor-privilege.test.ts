/**
 * The real sensor: processes that reach into others, memory made executable, namespaces, keys, rings, and what else changes
 * a kernel. `actions-privilege.c` does the deeds, each in a process of its own.
 */
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NOBODY, numbersSaid } from './deeds.ts';
import {
  PRIVILEGE_DEEDS,
  privilegeIsSaid,
  REFUSED_DEEDS,
  type Deed,
  type DeedDone,
  type PrivilegeScene,
} from './deeds-privilege.ts';
import { CHECKOUT, isRoot, WHY_SKIPPED } from './stack.ts';
import { HAS_32_BIT, wentWrong } from './thirty-two.ts';
import { balanced, buildSensor, Watched } from './watched.ts';

const LIBRARY = readdirSync('/usr/lib', { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => `/usr/lib/${entry.name}/libc.so.6`)
  .find((path) => existsSync(path));

let work = '';
let actions = '';

beforeAll(() => {
  if (!isRoot) return;
  buildSensor();
  work = mkdtempSync(join(tmpdir(), 'hushwatch-privilege-'));
  chmodSync(work, 0o755);
  actions = join(work, 'actions-privilege');
  const source = join(CHECKOUT, 'test/e2e/actions-privilege.c');
  execFileSync('clang', ['-O1', '-static', '-pthread', '-Wall', '-Wextra', '-Werror', '-o', actions, source]);
});
afterAll(() => {
  if (work !== '') rmSync(work, { recursive: true });
});

let directories = 0;

function act(deed: string, uid = 0): DeedDone {
  const at = join(work, `d${++directories}`);
  mkdirSync(at);
  chmodSync(at, 0o777);
  const env = LIBRARY === undefined ? {} : { LIBRARY };
  const run = spawnSync(actions, [deed, at], { uid, gid: uid, encoding: 'utf8', env });
  if (wentWrong(run, deed)) throw new Error(`${deed}: ${String(run.status)} ${run.stderr}`);
  return { pid: run.pid, at, output: run.stdout, said: numbersSaid(run.stdout) };
}

for (const reads of [[], ['--old-kernel']]) {
  describe.skipIf(!isRoot)(`what is done is what is said ${reads.join('')}${WHY_SKIPPED}`, () => {
    let seen: Watched;
    let scene: PrivilegeScene | undefined;
    beforeAll(async () => {
      seen = await new Watched(['--merge-ms', '0', ...reads]).ready();
      const done = new Map<Deed, DeedDone>();
      for (const deed of PRIVILEGE_DEEDS) done.set(deed, act(deed));
      for (const deed of REFUSED_DEEDS) done.set(deed, act(deed, NOBODY));
      scene = {
        counters: await seen.stop(),
        frames: seen.frames,
        did: (deed) => done.get(deed) ?? expect.fail(`${deed} was not done`),
        actions,
        hasKexec: existsSync('/sys/kernel/kexec_loaded'),
        has32Bit: HAS_32_BIT,
      };
    });
    afterAll(() => seen[Symbol.asyncDispose]());

    privilegeIsSaid(() => scene ?? expect.fail('nothing was done'));
  });
}

describe.skipIf(!isRoot)(`economy of privilege${WHY_SKIPPED}`, () => {
  /** Lives until it is told to end. */
  async function napper(): Promise<ChildProcess> {
    const child = spawn(actions, ['nap', work], { stdio: ['ignore', 'pipe', 'ignore'] });
    await once(child.stdout, 'data');
    return child;
  }

  test('identical ones merge, and are counted', async () => {
    await using seen = await new Watched(['--merge-ms', '60000']).ready();
    const { pid, said } = act('signals');
    const images = act('images');
    const counters = await seen.stop();
    expect(seen.of('signal', pid).map((frame) => [frame['signal'], frame['targetPid']])).toEqual([
      [10, said['other']],
      [9, said['other']],
    ]);
    expect(seen.of('image', images.pid)).toHaveLength(4);
    balanced(counters, seen.frames);
  });

  test('whoever ends Hushwatch is named, also within its own user', async () => {
    const ours = await napper();
    const others = await napper();
    await using seen = await new Watched(['--exclude-pid', String(ours.pid)]).ready();
    const both = [once(ours, 'close'), once(others, 'close')];
    const killer = spawnSync('kill', ['-KILL', String(ours.pid), String(others.pid)]);
    await Promise.all(both);
    const counters = await seen.stop();
    expect(seen.of('signal', killer.pid)).toMatchObject([{ signal: 9, targetPid: ours.pid, errno: 0 }]);
    balanced(counters, seen.frames);
  });
});
