/**
 * What a back-test of ten million events costs, and what a thousand nodes cost in memory. `node test/bench/backtest.ts` prints JSON.
 *
 * The evidence is a collector's directory as it would be: log, bodies, index. Its events are those of a busy server (server.ts),
 * redacted as a node would; half a million different ones, told again and again, each time so much later, so that baselines
 * never meet the same minute twice. What is measured is `detect backtest` of a pack with one rule less, from the log's first
 * entry on: reading, unpacking, parsing, both sides.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as turn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { randomBytes } from 'node:crypto';
import { packBody } from '#protocol/batch.ts';
import { formatVerifierKey } from '#protocol/note.ts';
import { NO_PREVIOUS, statementDigest, type Counts, type Statement } from '#protocol/statement.ts';
import { bodyPath } from '#protocol/verify.ts';
import { CLASSES, EVENTS, isEventName } from '#protocol/vocabulary.ts';
import { Detection } from '../../collector/detectors/detection.ts';
import { makeDetectors } from '../../collector/detectors/detectors.ts';
import { loadPack, STARTER_PACK } from '../../collector/detectors/pack.ts';
import { textOfState } from '../../collector/saving.ts';
import { TransparencyLog } from '../../collector/log.ts';
import { State } from '../../collector/state.ts';
import { backtest } from '../../collector/tuning/backtest.ts';
import { replay } from '../../collector/tuning/replay.ts';
import { compileRuleset } from '../../redaction-rules/compile.ts';
import { logKey, signedStatement } from '../protocol/sample.ts';
import { batchOf, clear, heap, ruleset, STATEMENT } from './detection.ts';
import { eventOf } from './server.ts';

export interface BacktestRow {
  readonly events: number;
  readonly batches: number;
  readonly alerts: number;
  readonly lost: number;
  readonly seconds: number;
  readonly processorSeconds: number;
  readonly eventsPerSecond: number;
  /** Of both sides, detection alone; the rest is reading. */
  readonly microsecondsPerEvent: number;
  /** Resident at most, MB. */
  readonly memory: number;
}

export interface NodesRow {
  readonly nodes: number;
  readonly events: number;
  /** Live objects, MB. */
  readonly memory: number;
  /** What is saved, MB. */
  readonly saved: number;
  readonly savingSeconds: number;
  /** In which nothing else happened, the transaction at the end included. */
  readonly longestPauseMs: number;
}

const DIFFERENT = 500_000;
const BATCH = 1_000;
const NODES = 20;
const HELD = 'hushwatch-bench-backtest-';

export function benchBacktest(events: number, say: (line: string) => void): BacktestRow {
  const home = mkdtempSync(join(tmpdir(), HELD));
  try {
    say(`backtest: making evidence of ${events.toLocaleString('en')} events`);
    run<null>('make', home, String(events));
    say('backtest: running');
    return run<BacktestRow>('backtest', home);
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

export function benchNodes(say: (line: string) => void): NodesRow {
  say('backtest: a thousand nodes');
  return run<NodesRow>('nodes', '1000', '2000');
}

/** In a process of its own: memory and time of one thing. */
function run<T>(...args: readonly string[]): T {
  const child = spawnSync(process.execPath, ['--expose-gc', fileURLToPath(import.meta.url), ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (child.status !== 0) throw new Error(`the benchmark of back-tests ended with ${child.status ?? child.signal}`);
  const row: T = JSON.parse(child.stdout);
  return row;
}

interface Line {
  readonly name: string;
  readonly time: number;
  readonly before: string;
  readonly after: string;
}

/** What leaves a node, cut around its time. */
function linesOf(count: number): readonly Line[] {
  const redactor = compileRuleset(ruleset, { node: randomBytes(32) });
  return Array.from({ length: count }, (_, i) => redactor.redact(eventOf(i))?.line ?? '').flatMap((line) => {
    const [, before = '', event = '', middle = '', time = '', after = ''] =
      /^(\{"event":"([^"]+)")(.*?"time":)(\d+)(.*)$/.exec(line) ?? [];
    return event === '' ? [] : [{ name: event, time: Number(time), before: before + middle, after }];
  });
}

async function makeEvidence(home: string, events: number): Promise<null> {
  const lines = linesOf(Math.min(events, DIFFERENT));
  const span = (lines.at(-1)?.time ?? 0) - (lines[0]?.time ?? 0) + 1_000_000;
  writeFileSync(join(home, 'log.pub'), formatVerifierKey(logKey.verifier));
  await using log = await TransparencyLog.open(join(home, 'log'), logKey);
  const waiting: Promise<number>[] = [];
  const last = new Map<string, Statement>();
  for (let number = 0; number * BATCH < events; number++) {
    const from = (number * BATCH) % lines.length;
    const later = Math.floor((number * BATCH) / lines.length) * span;
    const part = lines.slice(from, from + BATCH);
    const body = packBody(part.map(({ before, time, after }) => `${before}${time + later}${after}`));
    const file = join(home, bodyPath(body.body.sha256));
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, body.bytes);
    const node = `web-${number % NODES}`;
    const statement = following(last.get(node), {
      node,
      events: countsOf(part),
      body: body.body,
      time: { first: (part[0]?.time ?? 0) + later, last: (part.at(-1)?.time ?? 0) + later },
    });
    last.set(node, statement);
    waiting.push(log.append(signedStatement(statement)));
    if (waiting.length === 256) await Promise.all(waiting.splice(0));
  }
  await Promise.all(waiting);
  using state = State.open(join(home, 'state.sqlite'));
  await state.follow(log, ({ time }) => time.last);
  return null;
}

/** The next of the node's chain: everything that it saw it released. */
function following(
  before: Statement | undefined,
  changes: Pick<Statement, 'node' | 'events' | 'body' | 'time'>,
): Statement {
  const released = Object.fromEntries(
    CLASSES.map((name) => [name, (before?.released[name] ?? 0) + (changes.events[name] ?? 0)] as const),
  );
  const previous = before === undefined ? NO_PREVIOUS : statementDigest(before);
  return { ...STATEMENT, ...changes, sequence: (before?.sequence ?? 0) + 1, previous, seen: released, released };
}

function countsOf(lines: readonly Line[]): Counts {
  const counts: Record<string, number> = {};
  for (const { name } of lines) {
    const { class: kind } = EVENTS[isEventName(name) ? name : 'hushwatch.start'];
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}

function measureBacktest(home: string): BacktestRow {
  const pack = loadPack(STARTER_PACK);
  const detection = (rules = pack.rules): Detection =>
    new Detection({
      detectors: makeDetectors({ pack: { ...pack, rules }, alertFrom: 'informational', clearFor: () => clear }),
    });
  using state = State.beside(home);
  const startedAt = performance.now();
  const before = process.cpuUsage();
  const candidate = detection(pack.rules.filter(({ file }) => file !== 'exec-temporary-directory.yml'));
  const found = backtest({ evidence: replay(home, state), now: detection(), candidate, sinceUs: 0 });
  const seconds = (performance.now() - startedAt) / 1_000;
  const { user, system } = process.cpuUsage(before);
  const { events, batches, now, lost } = found;
  return {
    ...{ events, batches, alerts: now.alerts.size, lost: lost.length },
    seconds: Math.round(seconds),
    processorSeconds: Math.round((user + system) / 1e6),
    eventsPerSecond: Math.round(events / seconds),
    microsecondsPerEvent: Math.round(((now.milliseconds + found.candidate.milliseconds) * 10_000) / events) / 10,
    memory: Math.round(process.resourceUsage().maxRSS / 1024),
  };
}

/** Each node tells the same kinds of things at its own times, two hours long. */
async function measureNodes(nodes: number, each: number): Promise<NodesRow> {
  const redactor = compileRuleset(ruleset, { node: randomBytes(32) });
  const pack = loadPack(STARTER_PACK);
  const before = heap();
  const detection = new Detection({ detectors: makeDetectors({ pack, clearFor: () => clear }) });
  const size = 100;
  const last = new Map<string, Statement>();
  for (let number = 0; number < (nodes * each) / size; number++) {
    const lines = Array.from({ length: size }, (_, i) => redactor.redact(eventOf(number * size + i))?.line ?? '');
    const batch = batchOf(
      lines.filter((line) => line !== ''),
      number,
      nodes,
    );
    const { node, time } = batch.statement;
    const statement = following(last.get(node), {
      node,
      events: { process: batch.events.length },
      body: { ...STATEMENT.body, unpacked: 1 },
      time,
    });
    last.set(node, statement);
    detection.observe({ ...batch, statement });
  }
  const memory = Math.round((heap() - before) * 10) / 10;
  const startedAt = performance.now();
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  // As the follower does.
  const texts = new Map<string, string>();
  for (const [id, part] of detection.save()) texts.set(id, await textOfState(part));
  const file = mkdtempSync(join(tmpdir(), HELD));
  using state = State.open(join(file, 'state.sqlite'));
  state.commitStep({ alerts: [], cursor: { name: 'detectors', position: 1 }, detectors: texts });
  await turn(5);
  delay.disable();
  const savingSeconds = Math.round(performance.now() - startedAt) / 1_000;
  rmSync(file, { recursive: true });
  const saved = [...texts.values()].reduce((sum, { length }) => sum + length, 0);
  const longestPauseMs = Math.round(delay.max / 1e6);
  return { nodes, events: nodes * each, memory, saved: Math.round(saved / 1e5) / 10, savingSeconds, longestPauseMs };
}

async function measure(what: string | undefined, args: readonly string[]): Promise<unknown> {
  const [first = '', second = ''] = args;
  if (what === 'make') return await makeEvidence(first, Number(second));
  if (what === 'backtest') return measureBacktest(first);
  if (what === 'nodes') return await measureNodes(Number(first), Number(second));
  return { backtest: benchBacktest(Number(what ?? 10_000_000), () => {}), nodes: benchNodes(() => {}) };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [, , what, ...args] = process.argv;
  process.stdout.write(`${JSON.stringify(await measure(what, args), null, 2)}\n`);
}
