/**
 * The system calls of 32-bit programs. Not every virtual machine lets a process make them: where one does not, whoever tries is
 * ended by the kernel, and that is what must then have been said. Under Linux 6.1 (`kernel*.test.ts`) they are always to be had.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isRoot } from './stack.ts';

/** getpid(2) by number 20. */
const PROBE = 'int main(void) { int id = 20; __asm__ volatile("int $0x80" : "+a"(id)); return id <= 0; }';

function probe(): boolean {
  const work = mkdtempSync(join(tmpdir(), 'hushwatch-thirty-two-'));
  try {
    const program = join(work, 'probe');
    execFileSync('clang', ['-x', 'c', '-o', program, '-'], { input: PROBE });
    const { status, signal } = spawnSync(program);
    if (status === 0) return true;
    if (signal === 'SIGSEGV') return false;
    throw new Error(`a 32-bit call ended with ${String(status)}, ${String(signal)}`);
  } finally {
    rmSync(work, { recursive: true });
  }
}

/** Whether this machine has them. */
export const HAS_32_BIT = isRoot && probe();

/** What is said of a process that tried in vain. */
export const ENDED_BY_THE_KERNEL = [{ signal: 11 }];

const DEEDS: readonly (string | undefined)[] = ['compat', 'thirty-two', 'memory-compat', 'memory-compat-struct'];

interface Ended {
  readonly status: number | null;
  readonly signal: string | null;
}

/** A deed that is not as it should be: any that failed, but for one of these where this machine does not know them. */
export const wentWrong = ({ status, signal }: Ended, deed: string | undefined): boolean =>
  status !== 0 && (HAS_32_BIT || signal !== 'SIGSEGV' || !DEEDS.includes(deed));
