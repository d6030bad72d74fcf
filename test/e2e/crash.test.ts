/** kill -9 of agent and sensor: the next life names the one that was cut short, and an orderly end is none. */
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { isRoot, Stack, until, WHY_SKIPPED } from './stack.ts';

describe.skipIf(!isRoot)(`a life that was cut short${WHY_SKIPPED}`, () => {
  test('is told once, by whom it was', async () => {
    await using stack = new Stack(18_490);
    await stack.start();
    for (const victim of ['agent', 'sensor'] as const) {
      const before = stack.pids()[victim];
      const sensor = stack.sensor();
      process.kill(before ?? expect.fail(`no ${victim}`), 'SIGKILL');
      await until(() => typeof stack.pids()[victim] === 'number' && stack.pids()[victim] !== before, 20_000, victim);
      // A sensor has a life once a statement knows it; an agent, once its sensor has found it.
      if (victim === 'sensor') await until(() => stack.sensor() !== sensor, 60_000, 'the next sensor');
      else await sleep(3_000);
    }
    await stack.stop();
    await stack.start();
    await stack.settled();
    const crashes = stack.events("event = 'hushwatch.crash'");
    expect(crashes.map((row) => [row['hushwatch.component'], row['hushwatch.crash.scope']])).toEqual([
      ['agent', 'process'],
      ['sensor', 'process'],
    ]);
    expect(stack.verify()).toMatchObject({ status: 0 });
  });
});
