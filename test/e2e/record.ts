/**
 * Makes the recorded frames of `test/data/frames/` anew: `node test/e2e/record.ts`, as root, after the layout of a frame has
 * changed or there is more to do. One file a kernel, of the same deeds: Debian's 6.1 in a machine of its own, and the kernel
 * that runs here, of which only our own processes are kept, in a directory that is their root.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { release, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Frame } from '../../agent/sources/frame.ts';
import { FrameDecoder } from '../../agent/sources/frames.ts';
import { NOBODY } from './deeds.ts';
import { filesOf, playOn } from './kernel-scene.ts';
import { kernelOf } from './machine.ts';
import { CHECKOUT, until } from './stack.ts';
import { buildSensor, SENSOR } from './watched.ts';

const INTO = join(CHECKOUT, 'test/data/frames');

function makeRoot(): string {
  const root = mkdtempSync(join(tmpdir(), 'hushwatch-record-'));
  chmodSync(root, 0o755);
  for (const directory of ['bin', 'etc', 'tmp']) mkdirSync(join(root, directory));
  chmodSync(join(root, 'tmp'), 0o1777);
  for (const { path, mode, bytes } of filesOf()) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    if (bytes === undefined) mkdirSync(join(root, path));
    else writeFileSync(join(root, path), bytes);
    chmodSync(join(root, path), mode & 0o7777);
  }
  return root;
}

/** The bytes of each frame, beside what they say. */
function* framesIn(bytes: Buffer): Generator<readonly [Buffer, Frame]> {
  for (let at = 0; at < bytes.length;) {
    const one = bytes.subarray(at, at + bytes.readUInt32LE(at));
    const [frame] = new FrameDecoder().push(one);
    if (frame !== undefined) yield [one, frame];
    at += one.length;
  }
}

/** Greeting, and what our processes and their children did after they had their new root. */
function ours(bytes: Buffer, pids: readonly number[]): Buffer {
  const family = new Set(pids);
  const kept = [...framesIn(bytes)].filter(([, frame]) => {
    if (frame.kind === 'fork' && family.has(frame.parentPid)) family.add(frame.pid);
    if (frame.kind === 'exec' && frame.executable.endsWith('/chroot')) return false;
    return frame.kind === 'hello' || ('pid' in frame && family.has(frame.pid));
  });
  return Buffer.concat(kept.map(([one]) => one));
}

async function recordHere(): Promise<Buffer> {
  const root = makeRoot();
  const socket = join(root, 'agent.sock');
  const heard: Buffer[] = [];
  const server = createServer((from) => from.on('data', (chunk: Buffer) => heard.push(chunk))).listen(socket);
  const sensor = spawn(SENSOR, ['--socket', socket, '--merge-ms', '0'], { stdio: 'inherit' });
  await until(() => heard.length > 0, 60_000, 'the sensor');
  const act = (uid: number, ...command: readonly string[]): number => {
    const run = spawnSync('/usr/sbin/chroot', [`--userspec=${uid}:${uid}`, root, ...command], { env: {} });
    if (run.pid === 0) throw new Error(`${command.join(' ')} did not run`);
    return run.pid;
  };
  const pids = [
    act(0, '/bin/actions', 'all', '/did'),
    act(NOBODY, '/bin/actions', 'denied'),
    act(0, '/bin/actions', 'compat', '/did32'),
    act(NOBODY, '/bin/module', 'load', '/etc/passwd'),
  ];
  const gone = once(sensor, 'close');
  sensor.kill('SIGTERM');
  await gone;
  await sleep(200);
  server.close();
  rmSync(root, { recursive: true });
  return ours(Buffer.concat(heard), pids);
}

buildSensor();
mkdirSync(INTO, { recursive: true });
const version = /^\d+\.\d+/.exec(release())?.[0] ?? 'unknown';
writeFileSync(join(INTO, `linux-${version}.bin`), await recordHere());
writeFileSync(join(INTO, 'linux-6.1.bin'), (await playOn(kernelOf('linux-image-cloud-amd64'))).story.frames);
