/** kill -9 of each process at random points, fifty rounds: no batch lost, none twice in the tables, everything verifies. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { counts, isRoot, Stack, until, WHY_SKIPPED } from '../e2e/stack.ts';

const ROUNDS = 50;
const VICTIMS = ['sensor', 'agent', 'shipper', 'collector'] as const;

/** Files made, renamed and removed, programs run, without an end. */
const ACTIVITY = `cd "$0"; i=0; while :; do i=$((i+1)); echo $i > f$i; mv f$i g$i; rm g$i; /bin/true; sleep 0.01; done`;

describe.skipIf(!isRoot)(`kill -9${WHY_SKIPPED}`, () => {
  test(`${ROUNDS} rounds`, { timeout: 600_000 }, async () => {
    await using stack = new Stack(18_470);
    await stack.start();
    const directory = mkdtempSync(join(tmpdir(), 'hushwatch-chaos-'));
    const activity = spawn('sh', ['-c', ACTIVITY, directory], { stdio: 'ignore' });
    const killed: Record<string, number> = {};
    try {
      for (let round = 0; round < ROUNDS; round++) {
        await sleep(Math.random() * 1_200);
        const victim = VICTIMS[round % VICTIMS.length] ?? 'agent';
        await until(() => typeof stack.pids()[victim] === 'number', 15_000, `${victim} to be back`);
        const pid = stack.pids()[victim];
        if (typeof pid !== 'number') continue;
        try {
          process.kill(pid, 'SIGKILL');
          killed[victim] = (killed[victim] ?? 0) + 1;
        } catch (error) {
          // It was between two lives: ESRCH is the only excuse.
          expect(error).toMatchObject({ code: 'ESRCH' });
        }
      }
      // Left alone they tell what happens, however little was told between two kills.
      const told = released(stack);
      await until(() => released(stack) > told + 500, 60_000, '500 events that are told');
    } finally {
      activity.kill('SIGKILL');
    }
    await stack.settled();
    rmSync(directory, { recursive: true, force: true });

    for (const victim of VICTIMS) expect(killed[victim] ?? 0, victim).toBeGreaterThan(5);
    const verification = stack.verify();
    expect(verification, verification.stdout).toMatchObject({ status: 0 });

    // Who was killed is named, as often as somebody was left to notice.
    for (const component of ['agent', 'sensor'] as const) {
      const crashes = stack.events(`event = 'hushwatch.crash' AND "hushwatch.component" = '${component}'`).length;
      expect(crashes, component).toBeLessThanOrEqual(killed[component] ?? 0);
      // A sensor that is killed before it said hello had no life that somebody could miss.
      if (component === 'agent') expect(crashes, component).toBeGreaterThan(0);
    }

    // Every event that a statement promised is in the tables, once.
    await stack.stop();
    expect(stack.events().length).toBe(released(stack));
  });
});

/** How many events the last statement promised, of all classes. */
const released = (stack: Stack): number =>
  counts(stack.statement().get('released'))
    .values()
    .reduce((a, b) => a + b, 0);
