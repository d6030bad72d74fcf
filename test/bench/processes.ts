/** What a running process has used: processor time and memory, from /proc. */
import { readFileSync } from 'node:fs';
import type { RunningTool } from './tools.ts';

const TICKS = 100;

export interface Memory {
  /** Megabytes resident, and of these its own share of what is shared. */
  readonly rss: number;
  readonly pss: number;
}

/** User and system CPU seconds of a process, its threads and its reaped children. */
export function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return [11, 12, 13, 14].reduce((sum, index) => sum + Number(fields[index] ?? 0), 0) / TICKS;
}

export function memory(pid: number): Memory {
  try {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
    const megabytes = (name: string): number =>
      Math.round(Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) / 102.4) / 10;
    return { rss: megabytes('Rss'), pss: megabytes('Pss') };
  } catch {
    return { rss: 0, pss: 0 }; // A kernel thread has no memory map.
  }
}

export const each = <T>(running: RunningTool, measure: (pid: number) => T): Record<string, T> =>
  Object.fromEntries(Object.entries(running.pids).map(([name, pid]) => [name, measure(pid)]));

/** What was used in between. */
export const since = (
  before: Readonly<Record<string, number>>,
  after: Readonly<Record<string, number>>,
): Record<string, number> =>
  Object.fromEntries(Object.entries(after).map(([name, now]) => [name, now - (before[name] ?? 0)]));
