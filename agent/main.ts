/** `hushwatch agent`: the process that sees raw events, holds the signing key and has no network. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import pino from 'pino';
import { parseVerifierKey } from '#protocol/note.ts';
import { EVENTS } from '#protocol/vocabulary.ts';
import {
  directoryOf,
  exporterOf,
  isProblemOfRules,
  openAgent,
  openApproved,
  openRules,
  VERSION,
  type AgentConfig,
} from './agent.ts';
import { SystemClock } from './clock.ts';
import { ConfigError, describeKeys, readConfig } from './config-file.ts';
import { KEYS } from './config.ts';
import { derive, Deriver } from './derive.ts';
import { Enricher } from './enrich.ts';
import type { RawEvent } from './event.ts';
import { Inspector, notice } from './inspect.ts';
import { Digester } from './inspect/digest.ts';
import { merge } from './merge.ts';
import { nodeFiles } from './node-files.ts';
import { observe, record } from './pipeline.ts';
import { preview, type Recording } from './preview.ts';
import { ProcessTable, sharesPids } from './process-table.ts';
import { takeReceipts } from './receipts.ts';
import { beginLife, crashed, endLife, rulesChanged, SensorLives } from './self.ts';
import { openFrameSource } from './sources/ebpf.ts';
import { exporterEvents } from './sources/exporters.ts';
import { hostEvents } from './sources/host.ts';
import { journalEvents } from './sources/journal.ts';
import { procEvents } from './sources/proc.ts';
import { neededFrom, SharedKeys } from './shared-keys.ts';
import { UserNames } from './users.ts';

const USAGE = `usage: hushwatch agent run | check | preview  --config FILE

  run        redact, sign and spool what the sensor sees, until SIGTERM
  check      read the configuration and everything it names, say what is wrong, exit 0 or 3
  preview    show what would leave, beside what would not; sends and writes nothing
             --frames FILE   recorded frames instead of the live sensor
             --lines FILE    lines of the exporter that the configuration names as source
             --limit N       stop after N events (default 20)

example: hushwatch agent preview --config /etc/hushwatch/agent.yaml --limit 5

keys of the configuration
${describeKeys(KEYS)}
`;

const HOUSEKEEPING_MS = 10_000;

export async function main(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    strict: false,
    options: {
      config: { type: 'string' },
      frames: { type: 'string' },
      lines: { type: 'string' },
      limit: { type: 'string' },
    },
  });
  const [verb, ...more] = positionals;
  const file = values.config;
  if (
    typeof file !== 'string' ||
    more.length > 0 ||
    verb === undefined ||
    !['run', 'check', 'preview'].includes(verb)
  ) {
    process.stderr.write(USAGE);
    return 2;
  }
  try {
    const config = readConfig(file, KEYS);
    const exporter = exporterOf(config);
    if (verb === 'run') return await run(config, exporter);
    const rules =
      verb === 'check' ? await openApproved(config, parseVerifierKey(config.log_key)) : await openRules(config);
    if (verb === 'check')
      process.stdout.write(`${file}: good; ruleset ${rules.ruleset.name} version ${rules.ruleset.version}\n`);
    else await preview(config, rules, recordingOf(values), Number(values.limit ?? 20));
    return 0;
  } catch (error) {
    if (!(error instanceof ConfigError || isProblemOfRules(error)) || !(error instanceof Error)) throw error;
    process.stderr.write(`hushwatch agent: the configuration cannot be used\n${error.message}\n`);
    return 3;
  }
}

/** What to show instead of what happens now. */
function recordingOf(values: Readonly<Record<string, unknown>>): Recording | undefined {
  if (typeof values['lines'] === 'string') return { lines: values['lines'] };
  return typeof values['frames'] === 'string' ? { frames: values['frames'] } : undefined;
}

async function run(config: AgentConfig, exporter: ReturnType<typeof exporterOf>): Promise<number> {
  const log = pino(
    { name: 'hushwatch-agent', base: null, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination(2),
  );
  const stop = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.on(name, () => stop.abort());

  const { line, herald, limits, logKey, withMd5, withheldBecause, keys } = await openAgent(config);
  if (withheldBecause !== undefined) {
    log.error(
      { problem: withheldBecause.message },
      'no rules are in force: everything is counted and nothing is released',
    );
  }
  log.info({ sequence: line.spool.last?.sequence ?? 0, waiting: line.spool.waiting.length }, 'spool open');

  const before = beginLife(config.spool, herald.boot);
  const clock = new SystemClock();
  const users = new UserNames();
  // The sensor describes who lives; /proc is for what it could not tell, and only where it counts pids as the sensor does.
  const processes = new ProcessTable(config.source === 'proc' || sharesPids() ? '/proc' : undefined);
  if (config.source === 'proc') processes.scan();
  const housework = Promise.withResolvers<never>();
  const shared = new SharedKeys(config);
  const keepKeys = async (): Promise<void> => {
    if (keys === undefined) return;
    if (keys.epochUs !== undefined) keys.keyring.forgetBefore(neededFrom(Date.now() * 1_000, keys.epochUs));
    try {
      if (await shared.take(keys.keyring)) log.info('roots of shared pseudonyms were taken');
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      log.error({ problem: error.message }, 'sealed keys cannot be used; the former ones stay in force');
    }
  };
  const housekeeping = setInterval(() => {
    clock.anchor();
    users.refresh();
    processes.sweep(clock.bootNs());
    keepKeys().catch(housework.reject);
  }, HOUSEKEEPING_MS);
  await keepKeys();

  // Until when something was seen for certain: the last statement of the run before, then the last frames. Unknown before the first.
  let seenUntil = statSync(join(config.spool, 'head'), { throwIfNoEntry: false })?.mtimeMs;
  const noting = async function* <T>(chunks: AsyncIterable<T>): AsyncGenerator<T> {
    for await (const chunk of chunks) {
      yield chunk;
      seenUntil = Date.now();
    }
  };
  const started = (component: string, version: string): RawEvent => ({
    name: 'hushwatch.start',
    time: Date.now() * 1_000,
    attributes: {
      'hushwatch.component': component,
      'hushwatch.version': version,
      'hushwatch.source': config.source,
      'hushwatch.blind.duration': seenUntil === undefined ? undefined : Math.max(0, Date.now() - seenUntil) / 1_000,
    },
  });
  const lives = new SensorLives();
  const inspector = new Inspector(new Digester(withMd5), () => {
    line.ledger.received(EVENTS['file.inspect'].class);
    line.ledger.lost('queue', EVENTS['file.inspect'].class);
  });
  const kernel =
    exporter === undefined && config.source !== 'proc'
      ? derive(
          notice(
            observe(
              noting(openFrameSource(config.socket, stop.signal)),
              new Enricher(processes, users, clock),
              line.ledger,
              {
                met: (version, isNew) => {
                  log.info({ version, isNew }, 'sensor connected');
                  return [...lives.met(isNew), ...(isNew ? [started('sensor', version)] : [])];
                },
                left: () => lives.left(),
              },
            ),
            inspector,
          ),
          new Deriver(nodeFiles(), (pid) => processes.peek(pid)?.args),
          Date.now,
        )
      : exporter === undefined
        ? noting(procEvents(processes, users, stop.signal))
        : exporterEvents({
            ...exporter,
            users,
            position: line.spool.exporter,
            note: (mark) => line.ledger.readExporter(mark),
            signal: stop.signal,
          });
  const journal =
    config.journal === 'off'
      ? []
      : [
          journalEvents({
            known: { processes, users, clock },
            directory: directoryOf(config),
            position: line.spool.journal,
            note: (position) => line.ledger.readJournal(position),
            signal: stop.signal,
          }),
        ];
  const sources = merge(kernel, hostEvents(stop.signal), inspector.events(stop.signal), ...journal);
  const first = [...crashed('agent', before), ...rulesChanged(line.spool.last, herald), started('agent', VERSION)];
  const events = withEnds(sources, first, () => {
    inspector.close();
    return [stopped(config)];
  });

  const receipts = { accepted: 0, refused: 0 };
  const taking = takeReceipts(config.receipts, line.spool, logKey, receipts, stop.signal);
  await Promise.race([
    record(events, line, herald, limits, (problem) =>
      log.error({ code: codeOf(problem) }, 'a batch could not be written; its events are counted as lost'),
    ),
    // It ends only by the same signal, or by an error that should end us too.
    taking.then(() => new Promise<never>(() => {})),
    housework.promise,
  ]);
  clearInterval(housekeeping);
  await taking;
  endLife(config.spool);
  log.info(
    {
      sequence: line.spool.last?.sequence,
      waiting: line.spool.waiting.length,
      receipts,
      unknown: line.redactor.unknown,
    },
    'stopped',
  );
  return 0;
}

const stopped = (config: AgentConfig): RawEvent => ({
  name: 'hushwatch.stop',
  time: Date.now() * 1_000,
  attributes: { 'hushwatch.component': 'agent', 'hushwatch.version': VERSION, 'hushwatch.source': config.source },
});

async function* withEnds<T>(
  middle: AsyncIterable<readonly T[]>,
  first: readonly T[],
  last: () => readonly T[],
): AsyncGenerator<readonly T[]> {
  yield first;
  yield* middle;
  yield last();
}

/** The code alone: a message may quote a path. */
const codeOf = (error: Error): string => ('code' in error ? String(error.code) : error.name);
