/**
 * A small virtual machine that boots another kernel than this one: Debian's kernel from its package, one static program
 * (`machine/init.c`) that carries out a plan, and three serial lines: console, frames, and the story of what was done.
 *
 * Emulated (TCG), so it runs wherever qemu does, and slowly: no test may depend on time.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unpacked } from './package.ts';
import { CHECKOUT } from './stack.ts';

const BOOT_PATIENCE_MS = 300_000;

/** A Debian package with a kernel, unpacked. */
export interface Kernel {
  readonly release: string;
  readonly image: string;
  readonly modules: string;
}

/** The kernel of a package; `name` may be one that only depends on the real one. */
export function kernelOf(name: string): Kernel {
  const directory = unpacked(name, /^ {2}Depends: (linux-image-\S+)$/m);
  const image = readdirSync(join(directory, 'boot')).find((file) => file.startsWith('vmlinuz-'));
  if (image === undefined) throw new Error(`${name} holds no kernel`);
  const release = image.slice('vmlinuz-'.length);
  return { release, image: join(directory, 'boot', image), modules: join(directory, 'lib/modules', release, 'kernel') };
}

/** A module of the kernel, unpacked: later packages hold them compressed. */
export function moduleOf(kernel: Kernel, path: string): Buffer {
  const file = join(kernel.modules, path);
  return existsSync(file) ? readFileSync(file) : execFileSync('xz', ['-dc', `${file}.xz`]);
}

/** A static program from C sources. */
export function compile(output: string, ...sources: readonly string[]): string {
  execFileSync('clang', ['-static', '-O1', '-pthread', '-o', output, ...sources]);
  return output;
}

/** A file of the machine: its bytes, or a directory; `mode` as in stat. */
export interface Entry {
  readonly path: string;
  readonly mode: number;
  readonly bytes?: Uint8Array;
}

const DIRECTORY = 0o040_000;
const FILE = 0o100_000;
export const directoryEntry = (path: string, mode = 0o755): Entry => ({ path, mode: DIRECTORY | mode });
export const fileEntry = (path: string, bytes: Uint8Array | string, mode = 0o644): Entry => ({
  path,
  mode: FILE | mode,
  bytes: Buffer.from(bytes),
});

/** An initial file system, in the format that the kernel unpacks (cpio, "newc"). */
export function cpio(entries: readonly Entry[]): Buffer {
  return Buffer.concat([...entries, { path: 'TRAILER!!!', mode: 0 }].flatMap(member));
}

function member({ path, mode, bytes = Buffer.alloc(0) }: Entry, index: number): Buffer[] {
  const name = Buffer.from(`${path}\0`);
  // inode, mode, uid, gid, links, time, size, device, device of the file, length of the name, checksum
  const fields = [index + 1, mode, 0, 0, 1, 0, bytes.length, 0, 0, 0, 0, name.length, 0];
  const head = Buffer.from(`070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`);
  return [padded(Buffer.concat([head, name])), padded(Buffer.from(bytes))];
}

const padded = (bytes: Buffer): Buffer => Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);

/** What one step of the plan said, and how it ended. */
export interface Step {
  readonly pid: number;
  readonly status: number;
  readonly said: string;
}

export interface Story {
  readonly text: string;
  readonly frames: Buffer;
  readonly facts: Readonly<Record<string, number>>;
  readonly step: (name: string) => Step;
}

/** Boots, lets the plan be carried out, and tells what came of it. */
export async function boot(
  kernel: Kernel,
  files: readonly Entry[],
  plan: readonly string[],
  append = '',
): Promise<Story> {
  const work = mkdtempSync(join(tmpdir(), 'hushwatch-machine-'));
  try {
    const init = compile(join(work, 'init'), join(CHECKOUT, 'test/e2e/machine/init.c'));
    const skeleton = ['bin', 'dev', 'etc', 'proc', 'run', 'sys', 'tmp'].map((path) => directoryEntry(path));
    const own = [fileEntry('init', readFileSync(init), 0o755), fileEntry('plan', `${plan.join('\n')}\n`)];
    writeFileSync(join(work, 'initrd'), cpio([...skeleton, ...own, ...files]));
    await emulate(kernel, work, append);
    return readStory(readFileSync(join(work, 'story'), 'utf8'), readFileSync(join(work, 'frames')), work);
  } finally {
    rmSync(work, { recursive: true });
  }
}

async function emulate(kernel: Kernel, work: string, append: string): Promise<void> {
  const serial = ['console', 'frames', 'story'].flatMap((name) => ['-serial', `file:${join(work, name)}`]);
  const machine = [
    '-accel',
    'tcg',
    '-cpu',
    'max',
    '-m',
    '512',
    '-smp',
    '2',
    '-display',
    'none',
    '-nodefaults',
    '-no-reboot',
  ];
  const kernelArgs = ['-kernel', kernel.image, '-initrd', join(work, 'initrd')];
  const commandLine = `console=ttyS0 loglevel=4 panic=-1 ${append}`;
  const qemu = spawn('qemu-system-x86_64', [...machine, ...serial, ...kernelArgs, '-append', commandLine], {
    stdio: ['ignore', 'ignore', 'inherit'],
    timeout: BOOT_PATIENCE_MS,
  });
  await once(qemu, 'close');
}

function readStory(text: string, frames: Buffer, work: string): Story {
  if (!/^over$/m.test(text) || /^broken/m.test(text)) {
    throw new Error(`the machine did not come to its end:\n${readFileSync(join(work, 'console'), 'utf8')}\n${text}`);
  }
  const facts = [...text.matchAll(/^fact (\S+) (\d+)$/gm)].map(
    ([, name = '', value]) => [name, Number(value)] as const,
  );
  return {
    text,
    frames,
    facts: Object.fromEntries(facts),
    step: (name) => {
      const found = new RegExp(`^begin ${name}\n((?:.*\n)*?)end ${name} (\\d+) (-?\\d+)$`, 'm').exec(text);
      if (found === null) throw new Error(`the story has no ${name}:\n${text}`);
      return { pid: Number(found[2]), status: Number(found[3]), said: found[1] ?? '' };
    },
  };
}
