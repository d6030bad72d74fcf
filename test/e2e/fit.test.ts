/**
 * Kernels that will not do, and kernels that lack something: the sensor is shown the types of a kernel that never was
 * (`--btf`), and says what is missing and what to do. Needs root and clang.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isRoot, WHY_SKIPPED } from './stack.ts';
import { buildSensor, SENSOR } from './watched.ts';

let work = '';
beforeAll(() => {
  if (!isRoot) return;
  buildSensor();
  work = mkdtempSync(join(tmpdir(), 'hushwatch-fit-'));
});
afterAll(() => {
  if (work !== '') rmSync(work, { recursive: true });
});

const LOOP = 'enum bpf_func_id { BPF_FUNC_loop = 181 } helpers;';
const tracepoint = (name: string, ...types: readonly string[]): string =>
  `typedef void (*btf_trace_${name})(void *, ${types.join(', ')}); btf_trace_${name} ${name};`;
const SYS_EXIT = tracepoint('sys_exit', 'struct pt_regs *', 'long');
const FORK = tracepoint('sched_process_fork', 'struct task_struct *', 'struct task_struct *');

interface Said {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

/** What the sensor says of a kernel with these types. */
function checked(...types: readonly string[]): Said {
  const source = join(work, 'kernel.c');
  writeFileSync(source, `struct pt_regs; struct task_struct;\n${types.join('\n')}\n`);
  execFileSync('clang', ['-target', 'bpf', '-g', '-c', source, '-o', join(work, 'kernel.o')]);
  return check(['--btf', join(work, 'kernel.o')]);
}

function check(options: readonly string[], before: readonly string[] = []): Said {
  const [program = SENSOR, ...args] = [...before, SENSOR, '--check', ...options];
  const run = spawnSync(program, args, { encoding: 'utf8' });
  return { status: run.status, out: run.stdout, err: run.stderr };
}

describe.skipIf(!isRoot)(`a kernel that will not do is refused in one line${WHY_SKIPPED}`, () => {
  test('no types', () => {
    expect(check(['--btf', join(work, 'nowhere')])).toMatchObject({
      status: 3,
      err: expect.stringMatching(
        `hushwatch-sensor: Linux ${release()} does not describe its types .*\nhint: use a kernel built with CONFIG_DEBUG_INFO_BTF, .*\n$`,
      ),
    });
  });

  test('too old', () => {
    expect(checked('enum bpf_func_id { BPF_FUNC_timer_init = 169 } helpers;', SYS_EXIT)).toEqual({
      status: 3,
      out: '',
      err: `hushwatch-sensor: Linux ${release()} is too old: it has no bpf_loop\nhint: use Linux 5.17 or later; 6.1 and later are tried\n`,
    });
  });

  test('no tracepoint of system calls', () => {
    expect(checked(LOOP, FORK)).toEqual({
      status: 3,
      out: '',
      err: `hushwatch-sensor: Linux ${release()} has no tracepoint of system calls\nhint: use a kernel built with CONFIG_FTRACE_SYSCALLS\n`,
    });
  });

  test('capabilities of a user namespace', () => {
    expect(check([], ['unshare', '--user', '--map-root-user'])).toEqual({
      status: 3,
      out: '',
      err:
        'hushwatch-sensor: its capabilities are those of a user namespace, and BPF asks for those of the machine\n' +
        "hint: start it outside of the container, in the machine's own user namespace\n",
    });
  });
});

describe.skipIf(!isRoot)(`what a kernel lacks takes its own events with it${WHY_SKIPPED}`, () => {
  test('and nothing else', () => {
    const { status, out } = checked(LOOP, SYS_EXIT, FORK);
    expect(status).toBe(0);
    expect(out).toMatch(/^program\ton_fork\tsched_process_fork\tloads$/m);
    expect(out).toMatch(/^program\ton_exec\tsched_process_exec\tabsent$/m);
    expect(out).toMatch(/^program\tsocket_ended\tsys_exit\tloads$/m);
    expect(out).toMatch(/^access\tslow$/m);
  });
});
