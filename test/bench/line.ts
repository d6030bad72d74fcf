/** The whole line under load, beside its peers, in one run: CPU of the tool plus what the loaded program got slower, per operation. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { auditd, hushwatch, nothing, type RunningTool, type Tool } from './tools.ts';

interface LoadResult {
  readonly opens: number;
  readonly execs: number;
  readonly connects: number;
  readonly wall: number;
  readonly cpu: number;
}

export interface LineRow {
  readonly load: string;
  readonly tool: string;
  /** CPU seconds of each process of the tool. */
  readonly cpu: Readonly<Record<string, number>>;
  /** µs per operation: the tool's CPU, what the load got slower, and both. */
  readonly toolMicroseconds: number;
  readonly slowdownMicroseconds: number;
  readonly totalMicroseconds: number;
  /** CPU of the load with the tool over CPU without. */
  readonly slowdownRatio: number;
  readonly wall: number;
  readonly lost: string;
  /** Proportional set size, MB, by process, at the end. */
  readonly memory: Readonly<Record<string, number>>;
}

const TICKS = 100;

/** User and system CPU seconds of a process, its threads and its reaped children. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return [11, 12, 13, 14].reduce((sum, index) => sum + Number(fields[index] ?? 0), 0) / TICKS;
}

function proportionalMegabytes(pid: number): number {
  try {
    const pss = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'));
    return Math.round(Number(pss?.[1] ?? 0) / 102.4) / 10;
  } catch {
    return 0; // A kernel thread has no memory map.
  }
}

const each = (running: RunningTool, measure: (pid: number) => number): Record<string, number> =>
  Object.fromEntries(Object.entries(running.pids).map(([name, pid]) => [name, measure(pid)]));

async function load(program: string, args: readonly string[]): Promise<LoadResult> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const code = await new Promise((settle) => child.once('close', settle));
  if (code !== 0) throw new Error(`load ${args.join(' ')} ended with ${String(code)}`);
  const result: LoadResult = JSON.parse(text);
  return result;
}

export interface Load {
  readonly name: string;
  readonly args: (directory: string) => readonly string[];
  /** Environment for our own line under this load, e.g. a merge window. */
  readonly merged?: boolean;
}

export function loads(seconds: number): readonly Load[] {
  return [
    {
      name: `paced ${seconds} s: 20,000 opens + 400 fork-execs + 400 connects a second, 10,000 files`,
      args: (directory) => ['paced', String(seconds), '20000', '400', '400', directory, '10000'],
    },
    { name: 'burst: 500,000 opens, 10,000 files', args: (directory) => ['burst', '500000', directory, '10000'] },
    { name: 'spawn: 20,000 fork-execs', args: () => ['spawn', '20000'] },
  ];
}

async function measure(
  tool: Tool,
  work: Load,
  program: string,
  baseline: LoadResult | undefined,
): Promise<{ row: LineRow; result: LoadResult }> {
  const directory = mkdtempSync(join(tmpdir(), 'hushwatch-bench-'));
  const loadDirectory = join(directory, 'load');
  mkdirSync(loadDirectory);
  // The files are there before anything is measured: making them is not the load.
  spawnSync(program, ['burst', '1', loadDirectory, '10000']);
  const running = await tool.start(directory, loadDirectory);
  try {
    const before = each(running, cpuSeconds);
    const result = await load(program, work.args(loadDirectory));
    await running.settle();
    const after = each(running, cpuSeconds);
    const cpu = Object.fromEntries(Object.keys(after).map((name) => [name, (after[name] ?? 0) - (before[name] ?? 0)]));
    const operations = result.opens + result.execs + result.connects;
    const toolCpu = Object.entries(cpu)
      .filter(([name]) => name !== 'collector') // It runs on another machine in earnest; shown, not charged to the node.
      .reduce((sum, [, seconds]) => sum + seconds, 0);
    const base = baseline ?? result;
    const slower = result.cpu - base.cpu;
    const row: LineRow = {
      load: work.name,
      tool: tool.name,
      cpu,
      toolMicroseconds: (toolCpu / operations) * 1e6,
      slowdownMicroseconds: (slower / operations) * 1e6,
      totalMicroseconds: ((toolCpu + slower) / operations) * 1e6,
      slowdownRatio: result.cpu / base.cpu,
      wall: result.wall,
      lost: running.lost(),
      memory: each(running, proportionalMegabytes),
    };
    return { row, result };
  } finally {
    await running.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

export async function benchLine(
  seconds: number,
  chosen: readonly string[],
  only: readonly string[],
  say: (line: string) => void,
): Promise<readonly LineRow[]> {
  const program = join(mkdtempSync(join(tmpdir(), 'hushwatch-load-')), 'load');
  const source = fileURLToPath(new URL('load.c', import.meta.url));
  const built = spawnSync('cc', ['-O2', '-static', '-pthread', '-o', program, source], { stdio: 'inherit' });
  if (built.status !== 0) throw new Error('the load did not compile');

  const unmerged = hushwatch({ HUSHWATCH_SENSOR_ARGS: '--merge-ms 0' }, 'hushwatch');
  const merged = hushwatch({}, 'hushwatch (merging, as shipped)');
  const tools = [unmerged, merged, auditd(false), auditd(true)].filter(
    (tool) => only.length === 0 || only.includes(tool.name),
  );
  const rows: LineRow[] = [];
  for (const work of loads(seconds).filter(({ name }) => chosen.some((prefix) => name.startsWith(prefix)))) {
    say(`bench: ${work.name}`);
    const first = await measure(nothing, work, program, undefined);
    for (const tool of tools) {
      if (tool.missing !== undefined) {
        say(`bench: ${tool.name} left out: ${tool.missing}`);
        continue;
      }
      const { row } = await measure(tool, work, program, first.result);
      rows.push(row);
      say(
        `  ${tool.name}: ${row.totalMicroseconds.toFixed(1)} µs an operation (tool ${row.toolMicroseconds.toFixed(1)}, slow-down ${row.slowdownMicroseconds.toFixed(1)}), load × ${row.slowdownRatio.toFixed(2)}; ${row.lost}`,
      );
    }
    const again = await measure(nothing, work, program, first.result);
    rows.push(again.row);
    say(`  none, again: load × ${again.row.slowdownRatio.toFixed(2)} (what this machine's noise is)`);
  }
  return rows;
}
