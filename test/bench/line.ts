/** The whole line under load, beside its peers, in one run: CPU of the tool plus what the loaded program got slower, per operation. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cpuSeconds, each, memory, since, type Memory } from './processes.ts';
import { auditd, hushwatch, nothing, type Tool } from './tools.ts';

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
  /** By process, before the load and after it. */
  readonly idle: Readonly<Record<string, Memory>>;
  readonly loaded: Readonly<Record<string, Memory>>;
}

async function load(program: string, args: readonly string[]): Promise<LoadResult> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const code = await new Promise((settle) => child.once('close', settle));
  if (code !== 0) throw new Error(`load ${args.join(' ')} ended with ${String(code)}`);
  const result: LoadResult = JSON.parse(text);
  return result;
}

const MERGING = 'hushwatch as shipped';

export interface Load {
  readonly name: string;
  readonly args: (directory: string) => readonly string[];
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
    const idle = each(running, memory);
    const before = each(running, cpuSeconds);
    const result = await load(program, work.args(loadDirectory));
    await running.settle();
    const cpu = since(before, each(running, cpuSeconds));
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
      idle,
      loaded: each(running, memory),
    };
    return { row, result };
  } finally {
    await running.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

export async function benchLine(
  program: string,
  seconds: number,
  chosen: readonly string[],
  only: readonly string[],
  say: (line: string) => void,
): Promise<readonly LineRow[]> {
  const unmerged = hushwatch({ HUSHWATCH_SENSOR_ARGS: '--merge-ms 0' }, 'hushwatch --merge-ms 0');
  const merged = hushwatch({}, MERGING);
  const tools = [unmerged, merged, auditd(false), auditd(true)].filter(
    (tool) => only.length === 0 || only.includes(tool.name),
  );
  const rows: LineRow[] = [];
  for (const work of loads(seconds).filter(({ name }) => chosen.some((prefix) => name.startsWith(prefix)))) {
    say(`bench: ${work.name}`);
    const first = await measure(nothing, work, program, undefined);
    for (const tool of tools) {
      // What merging saves shows under the paced load; elsewhere it is one more long run.
      if (tool.name === MERGING && !work.name.startsWith('paced')) continue;
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
