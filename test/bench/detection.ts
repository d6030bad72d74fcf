/**
 * What detection costs: events of a busy server through 50, 210 and 3,000 rules on the node, as they are before
 * redaction; and what leaves of them through all detectors of the collector. `node test/bench/detection.ts` prints JSON.
 *
 * Processor time of the whole process counts, garbage included; nobody has seen an event before. One process measures
 * one thing: what was compiled for another number of rules must not count.
 */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { NO_PREVIOUS, NO_RULES, type Statement } from '#protocol/statement.ts';
import type { EvidenceBatch } from '../../collector/detectors/detector.ts';
import { Detection } from '../../collector/detectors/detection.ts';
import { makeDetectors } from '../../collector/detectors/detectors.ts';
import { loadMapping, loadPack, STARTER_PACK } from '../../collector/detectors/pack.ts';
import { compileFor, clearOf, planRules } from '../../collector/detectors/sigma/plan.ts';
import type { SigmaRule } from '../../collector/detectors/sigma/rule.ts';
import { parseRecord } from '../../collector/watch.ts';
import { compileRuleset } from '../../redaction-rules/compile.ts';
import { exposure } from '../../redaction-rules/exposure.ts';
import { parseRuleset } from '../../redaction-rules/ruleset.ts';
import { execOf, type ServerEvent } from './execs.ts';
import { rulesOf } from './rulebook.ts';
import { eventOf } from './server.ts';

export interface DetectionRow {
  readonly place: 'node' | 'collector';
  /** `all` as a busy server has them, or `exec`: programs run, the dearest. */
  readonly events: 'all' | 'exec';
  readonly rules: number;
  readonly nodes: number;
  /** Of the rules, those that are not blind and not the other side's. */
  readonly running: number;
  readonly eventsPerCoreSecond: number;
  readonly microsecondsPerEvent: number;
  readonly matchesPerThousand: number;
  readonly alerts: number | undefined;
  readonly compileMs: number;
  /** Of compiled rules and whatever is remembered, MB. */
  readonly memory: number;
}

interface Work {
  readonly place: 'node' | 'collector';
  readonly events: 'all' | 'exec';
  readonly rules: number;
  /** That send. */
  readonly nodes: number;
}

const RULESET = fileURLToPath(new URL('../../redaction-rules/rulesets/generic-linux.yaml', import.meta.url));
const BLOCK = 20_000;
const ROUNDS = 12;
/** Events of a batch; small where there are many nodes, so that all of them send. */
const sizeFor = ({ nodes }: Work): number => (nodes > 1 ? 100 : 500);

const WORKS: readonly Work[] = [
  ...[50, 210, 3000].flatMap((rules) => [
    { place: 'node', events: 'all', rules, nodes: 1 } as const,
    { place: 'node', events: 'exec', rules, nodes: 1 } as const,
  ]),
  ...[50, 210, 3000].map((rules) => ({ place: 'collector', events: 'all', rules, nodes: 1 }) as const),
  { place: 'collector', events: 'all', rules: 210, nodes: 1000 },
];

export function benchDetection(say: (line: string) => void): readonly DetectionRow[] {
  return WORKS.map((work) => {
    say(`detection: ${work.rules} rules, ${work.place}, ${work.nodes} nodes, ${work.events}`);
    const child = spawnSync(process.execPath, ['--expose-gc', fileURLToPath(import.meta.url), JSON.stringify(work)], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    if (child.status !== 0) throw new Error(`the benchmark of detection ended with ${child.status ?? child.signal}`);
    const row: DetectionRow = JSON.parse(child.stdout);
    return row;
  });
}

function measure(work: Work): DetectionRow {
  const rules = rulesOf(work.rules);
  return work.place === 'node' ? measureNode(work, rules) : measureCollector(work, rules);
}

export const ruleset = parseRuleset(readFileSync(RULESET, 'utf8'), RULESET);
export const clear = clearOf(exposure(ruleset));

/** What the agent does with every event, before redaction. */
function measureNode(work: Work, rules: readonly SigmaRule[]): DetectionRow {
  const make = work.events === 'exec' ? (number: number) => execOf(number, 'new') : eventOf;
  const mapping = loadMapping();
  const before = heap();
  const startedAt = performance.now();
  const matcher = compileFor('node', rules, mapping, clear);
  const compileMs = performance.now() - startedAt;
  let matches = 0;
  const rates = rounds((from) => {
    const events = Array.from({ length: BLOCK }, (_, i) => make(from + i));
    return () => {
      for (const event of events) matches += matcher.match(event).length;
    };
  });
  return {
    ...work,
    running: planRules(rules, mapping, clear).filter(({ runs }) => runs === 'node').length,
    ...rates,
    matchesPerThousand: perThousand(matches),
    alerts: undefined,
    compileMs: Math.round(compileMs),
    memory: heap() - before,
  };
}

/** What the collector does with every batch, from parsed lines to alerts and stories. */
function measureCollector(work: Work, rules: readonly SigmaRule[]): DetectionRow {
  const starter = loadPack(STARTER_PACK);
  const pack = { ...starter, rules: [...starter.rules, ...rules] };
  const node = compileFor('node', pack.rules, pack.mapping, clear);
  const redactor = compileRuleset(ruleset, { node: randomBytes(32) });
  let matches = 0;
  const released = (event: ServerEvent): string => {
    const matched = node.match(event);
    matches += matched.length;
    const attributes = matched.length === 0 ? event.attributes : { ...event.attributes, 'detection.rules': matched };
    return redactor.redact({ ...event, attributes })?.line ?? '';
  };
  const before = heap();
  const startedAt = performance.now();
  const detection = new Detection({ detectors: makeDetectors({ pack, clearFor: () => clear }) });
  // Rules are compiled when the first batch says under which ruleset.
  detection.observe(batchOf([], 0, 1));
  const compileMs = performance.now() - startedAt;
  let alerts = 0;
  const rates = rounds((from) => {
    const lines = Array.from({ length: BLOCK }, (_, i) => released(eventOf(from + i))).filter((line) => line !== '');
    const size = sizeFor(work);
    const batches = Array.from({ length: Math.ceil(lines.length / size) }, (_, i) =>
      batchOf(lines.slice(i * size, (i + 1) * size), from / size + i + 1, work.nodes),
    );
    return () => {
      for (const batch of batches) alerts += detection.observe(batch).alerts.length;
    };
  });
  const plan = planRules(pack.rules, pack.mapping, clear);
  return {
    ...work,
    running: plan.filter(({ runs }) => runs !== 'blind').length,
    ...rates,
    matchesPerThousand: perThousand(matches),
    alerts,
    compileMs: Math.round(compileMs),
    memory: heap() - before,
  };
}

/** Rounds of a block each; the first ones, in which things are compiled, do not count. The median is told. */
function rounds(
  prepare: (from: number) => () => void,
): Pick<DetectionRow, 'eventsPerCoreSecond' | 'microsecondsPerEvent'> {
  const spent: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const run = prepare(round * BLOCK);
    globalThis.gc?.();
    const before = process.cpuUsage();
    run();
    const { user, system } = process.cpuUsage(before);
    if (round >= ROUNDS / 4) spent.push((user + system) / BLOCK);
  }
  const median = spent.toSorted((a, b) => a - b)[Math.floor(spent.length / 2)] ?? 0;
  return { eventsPerCoreSecond: Math.round(1e6 / median), microsecondsPerEvent: Math.round(median * 100) / 100 };
}

const perThousand = (matches: number): number => Math.round((matches * 1000) / (ROUNDS * BLOCK));

/** Live objects, MB. */
export function heap(): number {
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return Math.round((heapUsed + external) / 1e5) / 10;
}

export function batchOf(lines: readonly string[], number: number, nodes: number): EvidenceBatch {
  const events = lines.map(parseRecord);
  const time = { first: events[0]?.time ?? 0, last: events.at(-1)?.time ?? 0 };
  const sequence = Math.floor(number / nodes) + 1;
  const statement: Statement = { ...STATEMENT, node: `web-${number % nodes}`, sequence, time };
  const { node, role, cohort } = statement;
  return { node, role, cohort, sequence, logIndex: number, receivedAt: time.last, statement, events };
}

const DIGEST = 'a'.repeat(64);
export const STATEMENT: Statement = {
  ...{ node: 'web-0', boot: '0b5d3f2c-0000-4000-8000-000000000001', sequence: 1, previous: NO_PREVIOUS },
  ...{ role: 'generic', cohort: 'web', ruleset: DIGEST, rulepack: NO_RULES, vocabulary: DIGEST },
  ...{ agent: { version: '0.1.0', build: DIGEST }, sources: ['ebpf'], time: { first: 0, last: 0 }, events: {} },
  ...{ seen: {}, released: {}, merged: {}, sampled: {}, withheld: {}, lost: {} },
  body: { sha256: DIGEST, bytes: 13, unpacked: 0 },
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [, , text] = process.argv;
  const report = text === undefined ? benchDetection(() => {}) : measure(JSON.parse(text));
  process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
}
