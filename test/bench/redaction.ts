/**
 * What redaction costs: executions under the full `generic-linux`, keyed pseudonyms and command lines included, from the
 * event in memory to the line that leaves; beside redactors of log lines, which start from a line.
 *
 * Each round is a block of events that nobody has seen, given to one after the other in an order that turns. Processor time
 * of the whole process counts, so each pays for its own garbage. The peers do less: they put one word in place of listed
 * values, and what is not listed leaves.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compileRuleset, type RawEventLike } from '../../redaction-rules/compile.ts';
import { parseRuleset, type Ruleset } from '../../redaction-rules/ruleset.ts';
import { execOf } from './execs.ts';
import { rsyslogSeconds } from './rsyslog.ts';

export interface RedactionRow {
  readonly name: string;
  /** Events a second and core, the median of the rounds. */
  readonly rate: number;
  /** How much faster ours is, from objects, in the same round: the median. */
  readonly ratio: number;
  readonly rounds: number;
  readonly bytesPerEvent: number;
}

/** One block, for those that take objects and for those that take lines. */
interface Block {
  readonly events: readonly RawEventLike[];
  readonly lines: readonly string[];
}

interface Contestant {
  readonly name: string;
  /** Characters that came out. */
  readonly run: (block: Block) => number;
}

type Redact = (event: unknown) => unknown;
type MakeRedact = (options: { readonly paths: readonly string[] }) => Redact;

const RULESET = fileURLToPath(new URL('../../redaction-rules/rulesets/generic-linux.yaml', import.meta.url));
const RSYSLOG_EVERY = 10;
const OURS = 'hushwatch';

export async function benchRedaction(
  say: (line: string) => void,
  events = 1_000_000,
  rounds = 50,
): Promise<readonly RedactionRow[]> {
  const home = mkdtempSync(join(tmpdir(), 'hushwatch-redaction-'));
  try {
    const ruleset = parseRuleset(readFileSync(RULESET, 'utf8'), RULESET);
    const contestants = contestantsFor(ruleset);
    const size = Math.round(events / rounds);
    const seconds = new Map<string, (number | undefined)[]>();
    const bytes = new Map<string, number>();
    const note = (name: string, round: number, spent: number): void => {
      const own = seconds.get(name) ?? [];
      own[round] = spent;
      seconds.set(name, own);
    };
    warmUp(contestants);
    for (let round = 0; round < rounds; round++) {
      const block = blockOf(round * size, size);
      for (let turn = 0; turn < contestants.length; turn++) {
        const one = contestants[(round + turn) % contestants.length];
        if (one === undefined) continue;
        const before = process.cpuUsage();
        const length = one.run(block);
        const { user, system } = process.cpuUsage(before);
        note(one.name, round, (user + system) / 1e6);
        bytes.set(one.name, (bytes.get(one.name) ?? 0) + length);
      }
      if (round % RSYSLOG_EVERY !== 0) continue;
      const spent = await rsyslogSeconds(home, block.lines);
      if (spent !== undefined) note('rsyslog mmanon, mmjsonparse', round, spent);
      say(`redaction: round ${round + 1} of ${rounds}`);
    }
    return rowsOf(seconds, bytes, size, events);
  } finally {
    rmSync(home, { recursive: true });
  }
}

function contestantsFor(ruleset: Ruleset): readonly Contestant[] {
  const ours = compileRuleset(ruleset, { node: randomBytes(32) });
  const fromLines = compileRuleset(ruleset, { node: randomBytes(32) });
  // What the ruleset keeps they keep; everything else they replace.
  const rules = [...(ruleset.events.get('process.exec') ?? [])];
  const paths = rules.filter(([, rule]) => rule.do !== 'keep').map(([name]) => `["${name}"]`);
  const load = createRequire(import.meta.url);
  const peer = (name: string): Contestant => {
    const make: MakeRedact = load(name);
    const redact = make({ paths });
    return {
      name: `JSON.parse, ${name}`,
      run: ({ lines }) => lines.reduce((sum, line) => sum + lengthOf(redact(JSON.parse(line))), 0),
    };
  };
  return [
    { name: OURS, run: ({ events }) => events.reduce((sum, event) => sum + (ours.redact(event)?.line.length ?? 0), 0) },
    {
      name: `JSON.parse, ${OURS}`,
      run: ({ lines }) => lines.reduce((sum, line) => sum + (fromLines.redact(eventOf(line))?.line.length ?? 0), 0),
    },
    peer('@pinojs/redact'),
    peer('fast-redact'),
  ];
}

const lengthOf = (out: unknown): number => (typeof out === 'string' ? out.length : 0);

function eventOf(line: string): RawEventLike {
  const { event, time, ...attributes }: { event: string; time: number; [name: string]: unknown } = JSON.parse(line);
  return { name: event, time, attributes };
}

function blockOf(from: number, size: number): Block {
  const events = Array.from({ length: size }, (_, i) => execOf(from + i));
  return {
    events,
    lines: events.map(({ name, time, attributes }) => JSON.stringify({ event: name, time, ...attributes })),
  };
}

/** Until everything is compiled; with events that do not come again. */
function warmUp(contestants: readonly Contestant[]): void {
  const block = blockOf(100_000_000, 20_000);
  for (const { run, name } of contestants) {
    if (run(block) < 100 * block.events.length) throw new Error(`${name} let almost nothing out`);
  }
}

function rowsOf(
  seconds: ReadonlyMap<string, readonly (number | undefined)[]>,
  bytes: ReadonlyMap<string, number>,
  size: number,
  events: number,
): readonly RedactionRow[] {
  const ours = seconds.get(OURS) ?? [];
  return [...seconds].map(([name, all]) => {
    const rounds = all.flatMap((spent, round) =>
      spent === undefined ? [] : [{ spent, ratio: spent / (ours[round] ?? 0) }],
    );
    return {
      name,
      rate: Math.round(size / median(rounds.map(({ spent }) => spent))),
      ratio: median(rounds.map(({ ratio }) => ratio)),
      rounds: rounds.length,
      bytesPerEvent: Math.round((bytes.get(name) ?? 0) / events),
    };
  });
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? (sorted[half] ?? 0) : ((sorted[half - 1] ?? 0) + (sorted[half] ?? 0)) / 2;
}
