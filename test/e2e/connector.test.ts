/**
 * The proc connector as a source, on the real kernel: who forks, runs a program, changes who they are and ends; with its own
 * account of what was lost; from a sensor that keeps one right and no network.
 */
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { isRoot, until, WHY_SKIPPED } from './stack.ts';
import { balanced, buildSensor, Watched } from './watched.ts';

beforeAll(() => {
  if (isRoot) buildSensor();
});

describe.skipIf(!isRoot)(`proc connector${WHY_SKIPPED}`, () => {
  test('a program is told with who, where and what, and its end; who lived before is described', async () => {
    await using sensor = await new Watched(['--proc-connector']).ready();
    const child = spawn('/bin/sleep', ['1'], { cwd: '/tmp', uid: 65_534, gid: 65_534 });
    const pid = child.pid ?? 0;
    const executable = readlinkSync(`/proc/${pid}/exe`);
    await until(() => sensor.of('exit', pid).length > 0, 10_000, 'its end');
    const frames = ['fork', 'exec', 'exit'].flatMap((kind) =>
      sensor.frames.filter((f) => f.kind === kind && 'pid' in f && f.pid === pid),
    );
    expect(frames).toMatchObject([
      { kind: 'fork', parentPid: process.pid },
      {
        ...{ kind: 'exec', parentPid: process.pid, executable, args: ['/bin/sleep', '1'], argsCount: 2 },
        ...{ workingDirectory: '/tmp', uid: 65_534, credentials: { realUid: 65_534, effectiveCapabilities: 0n } },
      },
      { kind: 'exit', code: 0, signal: 0 },
    ]);
    expect(new Set(frames.map((frame) => ('startNs' in frame ? frame.startNs : 0))).size).toBe(1);
    expect(sensor.of('credentials', pid).at(-1)).toMatchObject({ credentials: { realUid: 65_534, savedUid: 65_534 } });
    expect(sensor.of('process', process.pid)).toMatchObject([
      { executable: process.execPath, parentPid: process.ppid },
    ]);
    balanced(await sensor.stop(), sensor.frames);
  });

  test('it keeps the right to look into /proc, no other, and no network', async () => {
    await using sensor = await new Watched(['--proc-connector']).ready();
    const status = readFileSync(`/proc/${sensor.child.pid}/status`, 'latin1');
    expect(status).toMatch(/^CapPrm:\t0000000000080000$/m);
    expect(status).toMatch(/^CapBnd:\t0+$/m);
    expect(readlinkSync(`/proc/${sensor.child.pid}/ns/net`)).not.toBe(readlinkSync('/proc/self/ns/net'));
  });

  test('who is gone before /proc could be asked is told with what is known; what the socket lost is counted', async () => {
    await using sensor = await new Watched(['--proc-connector', '--ring-bytes', '4096']).ready();
    sensor.child.kill('SIGSTOP');
    const run = spawnSync('sh', ['-c', 'i=0; while [ $i -lt 200 ]; do /bin/true; i=$((i+1)); done']);
    expect(run.status).toBe(0);
    sensor.child.kill('SIGCONT');
    spawnSync('/bin/true');
    await sleep(1_500);
    const last = await sensor.stop();
    balanced(last, sensor.frames);
    // One that ends while it is asked about is told with what was read by then; its file is asked for before all texts.
    const gone = sensor.of('exec').filter(({ file }) => file === undefined);
    expect(gone.length).toBeGreaterThan(0);
    for (const frame of gone) expect(frame).toMatchObject({ args: [], executable: '', workingDirectory: '' });
    // Fork, exec and end of each: told or lost.
    const { emitted = 0, lost = 0 } = last.classes.process ?? {};
    expect(lost).toBeGreaterThan(0);
    expect(emitted + lost).toBeGreaterThanOrEqual(600);
  });
});
