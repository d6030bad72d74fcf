/** What breaks between the kernel and the agent: processes killed or stopped, a ring that overruns, a node that drowns in forks. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CHECKOUT, counts, isRoot, Stack, unaccounted, until, WHY_SKIPPED } from '../stack.ts';

const isLong = process.env['HUSHWATCH_FAULTS'] === 'long';
const ROUNDS = 200;

let stack: Stack;
let work = '';
let flood = '';
beforeAll(async () => {
  if (!isRoot) return;
  work = mkdtempSync('/dev/shm/hushwatch-faults-');
  flood = join(work, 'flood');
  execFileSync('cc', ['-O1', '-o', flood, join(CHECKOUT, 'test/e2e/flood.c')]);
  // The smallest ring that is of use: it is to overrun.
  stack = await new Stack(18_550, { HUSHWATCH_SENSOR_ARGS: '--ring-bytes 262144' }).start();
});
afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  if (work !== '') rmSync(work, { recursive: true, force: true });
});

const lostInRing = (): number =>
  [...counts(stack.statement().get('lost'))].reduce(
    (sum, [name, n]) => sum + (/^(ring|queue)\./.test(name) ? n : 0),
    0,
  );

/** Every event is accounted for, and the evidence proves itself. */
async function accounted(): Promise<void> {
  await stack.settled();
  expect(unaccounted(stack.statement())).toEqual([]);
  expect(stack.verify()).toMatchObject({ status: 0 });
}

/** What the node does meanwhile: more than fits into the ring. */
async function busily<T>(during: () => Promise<T>): Promise<T> {
  const at = mkdtempSync(join(work, 'writes-'));
  const writing = spawn(flood, ['writes', at], { stdio: 'ignore' });
  const ended = once(writing, 'close');
  try {
    return await during();
  } finally {
    writing.kill('SIGKILL');
    await ended;
  }
}

describe.skipIf(!isRoot)(`the sensor and its agent${WHY_SKIPPED}`, () => {
  test('an agent that is stopped: the ring overruns, the kernel counts what is lost, the next statements say it', async () => {
    await accounted();
    const before = lostInRing();
    const pid = stack.pids()['agent'] ?? 0;
    await busily(async () => {
      process.kill(pid, 'SIGSTOP');
      await sleep(isLong ? 60_000 : 5_000);
      process.kill(pid, 'SIGCONT');
    });
    await accounted();
    expect(lostInRing()).toBeGreaterThan(before);
    expect(stack.pids()['agent']).toBe(pid);
  });

  test('a sensor that is stopped: the kernel goes on counting', async () => {
    const pid = stack.pids()['sensor'] ?? 0;
    const before = lostInRing();
    await busily(async () => {
      process.kill(pid, 'SIGSTOP');
      await sleep(isLong ? 60_000 : 3_000);
      process.kill(pid, 'SIGCONT');
    });
    await accounted();
    expect(lostInRing()).toBeGreaterThan(before);
    expect(stack.pids()['sensor']).toBe(pid);
  });

  test('a sensor that the kernel kills for its memory is another a moment later, and that is told', async () => {
    const group = `/sys/fs/cgroup/memory/hushwatch-faults-sensor-${process.pid}`;
    mkdirSync(group);
    writeFileSync(join(group, 'memory.limit_in_bytes'), '4096');
    const [pid, instance] = [stack.pids()['sensor'], stack.sensor()];
    writeFileSync(join(group, 'cgroup.procs'), String(pid));
    // It needs next to nothing while it runs: a page that was swapped out would do, and here a signal of the same effect does.
    await busily(() => sleep(2_000));
    if (!/^oom_kill 1$/m.test(readFileSync(join(group, 'memory.oom_control'), 'utf8')))
      process.kill(pid ?? 0, 'SIGKILL');
    await until(() => stack.sensor() !== instance, 60_000, 'the next sensor');
    rmdirSync(group);
    await accounted();
    const crashes = stack.events("event = 'hushwatch.crash' AND hushwatch.component = 'sensor'");
    expect(crashes).toHaveLength(1);
  });

  test('a fork bomb in a group with few pids: every event of others arrives', async () => {
    const group = `/sys/fs/cgroup/pids/hushwatch-faults-${process.pid}`;
    mkdirSync(group);
    writeFileSync(join(group, 'pids.max'), '100');
    const bomb = spawn(
      'sh',
      ['-c', `echo $$ > ${group}/cgroup.procs; b() { b | b & }; b; while :; do b; done 2>/dev/null`],
      {
        stdio: 'ignore',
        detached: true,
      },
    );
    try {
      await until(() => refusedForks(group) > 0, 30_000, 'the group to be full');
      await sleep(2_000);
      mkdirSync(join(work, 'sudoers.d'), { recursive: true });
      const rare = spawn(flood, ['rare', String(ROUNDS), work], { stdio: 'ignore' });
      expect(await once(rare, 'close')).toEqual([0, null]);
      await endAll(group);
      await accounted();
      expect(stack.events(`event = 'process.exec' AND "process.parent_pid" = ${rare.pid}`)).toHaveLength(ROUNDS);
      expect(stack.events(`event = 'process.trace' AND "process.pid" = ${rare.pid}`)).toHaveLength(ROUNDS);
    } finally {
      bomb.kill('SIGKILL');
      await endAll(group);
      rmdirSync(group);
    }
  });
});

const refusedForks = (group: string): number =>
  Number(/max (\d+)/.exec(readFileSync(join(group, 'pids.events'), 'utf8'))?.[1] ?? 0);

/** Frozen first: what forks is never all ended one after the other. */
async function endAll(group: string): Promise<void> {
  const members = (): readonly string[] =>
    existsSync(group)
      ? readFileSync(join(group, 'cgroup.procs'), 'utf8')
          .split('\n')
          .filter((pid) => pid !== '')
      : [];
  writeFileSync(join(group, 'pids.max'), '1');
  for (let round = 0; round < 500 && members().length > 0; round++) {
    for (const pid of members()) {
      try {
        process.kill(Number(pid), 'SIGKILL');
      } catch {
        // It ended by itself.
      }
    }
    await sleep(20);
  }
}
