/**
 * The floor of what a sensor of this kind can cost: programs that do nothing at the four tracepoints that fire most, no agent,
 * no collector. What the whole line costs above it is ours; what is below it is the kernel's price for being asked at all.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Tool } from './tools.ts';

const sourceOf = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

function compile(compiler: string, ...args: string[]): void {
  const built = spawnSync(compiler, args, { encoding: 'utf8' });
  if (built.status !== 0) throw new Error(`${compiler} ${args.join(' ')}: ${built.stderr}`);
}

export const emptyHooks: Tool = {
  name: 'empty programs',
  missing: existsSync('/sys/kernel/btf/vmlinux') ? undefined : 'the kernel has no BTF',
  start: async (directory) => {
    const [object, loader] = [join(directory, 'hooks.bpf.o'), join(directory, 'hooks')];
    const headers = `-I/usr/include/${spawnSync('uname', ['-m'], { encoding: 'utf8' }).stdout.trim()}-linux-gnu`;
    compile('clang', '-target', 'bpf', '-mcpu=v3', '-O2', '-g', headers, '-c', sourceOf('hooks.bpf.c'), '-o', object);
    compile('cc', '-O2', sourceOf('hooks.c'), '-o', loader, '-lbpf');
    const child = spawn(loader, [object], { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = new Promise<void>((settle) => child.once('close', () => settle()));
    const attached = new Promise((settle) => child.stdout.once('data', settle));
    await Promise.race([attached, ended.then(() => Promise.reject(new Error('the empty programs did not load')))]);
    return {
      pids: { hooks: child.pid ?? 0 },
      settle: async () => {},
      lost: () => '-',
      stop: async () => {
        child.kill('SIGTERM');
        await ended;
      },
    };
  },
};
