/**
 * What redaction costs: executions under the full `generic-linux`, keyed pseudonyms and command lines included, from the
 * event in memory to the bytes that leave; beside redactors of log lines, which start from a line. Once with command lines that come
 * again as often as on a real machine, once with hardly one that does.
 *
 * Each round is a block of events that nobody has seen, given to one after the other in an order that turns. Processor time
 * of the whole process counts, so each pays for its own garbage, and none for that of others: it is collected before. The peers do less: they put one word in place of listed
 * values, and what is not listed leaves. Two rows redact nothing: what writing a line costs by itself, and with the one pseudonym
 * that is new with each event.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compileRuleset, type RawEventLike } from '../../redaction-rules/compile.ts';
import { pseudonymiser } from '../../redaction-rules/keys.ts';
import { parseRuleset, type Ruleset } from '../../redaction-rules/ruleset.ts';
import { execOf, MIXES, type Mix } from './execs.ts';
import { rsyslogSeconds } from './rsyslog.ts';

export interface RedactionRow {
  readonly mix: Mix;
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
  /** Bytes that came out. */
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
    const rows: RedactionRow[] = [];
    for (const mix of MIXES) rows.push(...(await benchMix(mix, ruleset, home, say, events, rounds)));
    return rows;
  } finally {
    rmSync(home, { recursive: true });
  }
}

async function benchMix(
  mix: Mix,
  ruleset: Ruleset,
  home: string,
  say: (line: string) => void,
  events: number,
  rounds: number,
): Promise<readonly RedactionRow[]> {
  const contestants = contestantsFor(ruleset);
  const size = Math.round(events / rounds);
  const seconds = new Map<string, (number | undefined)[]>();
  const bytes = new Map<string, number>();
  const note = (name: string, round: number, spent: number): void => {
    const own = seconds.get(name) ?? [];
    own[round] = spent;
    seconds.set(name, own);
  };
  const collectGarbage = garbageCollector();
  warmUp(contestants, mix);
  for (let round = 0; round < rounds; round++) {
    const block = blockOf(round * size, size, mix);
    for (let turn = 0; turn < contestants.length; turn++) {
      const one = contestants[(round + turn) % contestants.length];
      if (one === undefined) continue;
      collectGarbage();
      const before = process.cpuUsage();
      const length = one.run(block);
      const { user, system } = process.cpuUsage(before);
      note(one.name, round, (user + system) / 1e6);
      bytes.set(one.name, (bytes.get(one.name) ?? 0) + length);
    }
    if (round % RSYSLOG_EVERY !== 0) continue;
    const spent = await rsyslogSeconds(home, block.lines);
    if (spent !== undefined) note('rsyslog mmanon, mmjsonparse', round, spent);
    say(`redaction, ${mix}: round ${round + 1} of ${rounds}`);
  }
  return rowsOf(mix, seconds, bytes, size, events);
}

function garbageCollector(): () => void {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  if (typeof collect !== 'function') throw new Error('this engine does not say how to collect garbage');
  return () => void collect();
}

function contestantsFor(ruleset: Ruleset): readonly Contestant[] {
  const ours = compileRuleset(ruleset, { node: randomBytes(32) });
  const fromLines = compileRuleset(ruleset, { node: randomBytes(32) });
  // Every process is new, so this is what nobody can remember.
  const pseudonym = pseudonymiser(randomBytes(32), 12);
  const nameOf = ({ attributes }: RawEventLike): string => pseudonym(String(attributes['process.entity.id']));
  // What the ruleset keeps they keep; everything else they replace.
  const rules = [...(ruleset.events.get('process.exec') ?? [])];
  const paths = rules.filter(([, rule]) => rule.do !== 'keep').map(([name]) => `["${name}"]`);
  const load = createRequire(import.meta.url);
  const peer = (name: string): Contestant => {
    const make: MakeRedact = load(name);
    const redact = make({ paths });
    return {
      name: `JSON.parse, ${name}`,
      run: ({ lines }) => lines.reduce((sum, line) => sum + written(redact(JSON.parse(line))), 0),
    };
  };
  return [
    { name: OURS, run: ({ events }) => events.reduce((sum, event) => sum + written(ours.redact(event)?.line), 0) },
    {
      name: `JSON.parse, ${OURS}`,
      run: ({ lines }) => lines.reduce((sum, line) => sum + written(fromLines.redact(eventOf(line))?.line), 0),
    },
    peer('@pinojs/redact'),
    peer('fast-redact'),
    {
      name: 'JSON.stringify alone',
      run: ({ events }) => events.reduce((sum, event) => sum + written(JSON.stringify(event)), 0),
    },
    {
      name: 'JSON.stringify, and the pseudonym of the process',
      run: ({ events }) =>
        events.reduce((sum, event) => sum + written(JSON.stringify(event)) + nameOf(event).length, 0),
    },
  ];
}

const MOST_BYTES = 1 << 20;
const batch = Buffer.alloc(MOST_BYTES);

/** Into a batch, as the agent does with its lines; how many bytes. */
const written = (out: unknown): number => (typeof out === 'string' ? batch.write(out) : 0);

function eventOf(line: string): RawEventLike {
  const { event, time, ...attributes }: { event: string; time: number; [name: string]: unknown } = JSON.parse(line);
  return { name: event, time, attributes };
}

function blockOf(from: number, size: number, mix: Mix): Block {
  const events = Array.from({ length: size }, (_, i) => execOf(from + i, mix));
  return {
    events,
    lines: events.map(({ name, time, attributes }) => JSON.stringify({ event: name, time, ...attributes })),
  };
}

/** Until everything is compiled; with events that do not come again. */
function warmUp(contestants: readonly Contestant[], mix: Mix): void {
  const block = blockOf(100_000_000, 20_000, mix);
  for (const { run, name } of contestants) {
    if (run(block) < 100 * block.events.length) throw new Error(`${name} let almost nothing out`);
  }
}

function rowsOf(
  mix: Mix,
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
      mix,
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
