/**
 * The agent as a process: opens everything, senses and records until it is told to stop, keeps house meanwhile, and ends
 * with everything that it saw signed and on disk.
 */
import pino, { type Logger } from 'pino';
import { keepAlive, tellManager } from '../service/manager.ts';
import { openAgent, type exporterOf, type Agent, type AgentConfig } from './agent.ts';
import { SystemClock } from './clock.ts';
import { ConfigError } from './config-file.ts';
import type { Known } from './enrich/told.ts';
import { record } from './pipeline.ts';
import { ProcessTable, sharesPids } from './process-table.ts';
import { takeReceipts } from './receipts.ts';
import { beginLife, endLife } from './self.ts';
import { sense } from './sense.ts';
import { neededFrom, SharedKeys } from './shared-keys.ts';
import { UserNames } from './users.ts';

const HOUSEKEEPING_MS = 10_000;
/** A slow disk is not a hanging agent. */
const GRACE_MS = 30_000;

export async function run(config: AgentConfig, exporter: ReturnType<typeof exporterOf>): Promise<number> {
  const log = pino(
    { name: 'hushwatch-agent', base: null, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination(2),
  );
  const stop = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.on(name, () => stop.abort());
  const agent = await openAgent(config);
  const { line, herald, limits, logKey } = agent;
  sayHow(agent, log);

  const before = beginLife(config.spool, herald.boot);
  const known = knownTo(config);
  const house = await keepHouse(config, agent, known, log);
  const alive = keepAlive(progressOf(agent, config));
  const receipts = { accepted: 0, refused: 0 };
  const taking = takeReceipts(config.receipts, line.spool, logKey, receipts, stop.signal);
  const events = sense({ config, agent, exporter, known, before, log, signal: stop.signal });
  tellManager('READY=1');
  await Promise.race([
    record(events, line, herald, limits, (problem) =>
      log.error({ code: codeOf(problem) }, 'a batch could not be written; its events are counted as lost'),
    ),
    // It ends only by the same signal, or by an error that should end us too.
    taking.then(() => new Promise<never>(() => {})),
    house.failed,
  ]);
  tellManager('STOPPING=1');
  house.end();
  await taking;
  endLife(config.spool);
  alive.end();
  const { last, waiting } = line.spool;
  const told = { sequence: last?.sequence, waiting: waiting.length, receipts, unknown: line.redactor.unknown };
  log.info(told, 'stopped');
  return 0;
}

/** A heartbeat is signed when nothing happens: an agent that signs nothing for longer than that hangs. */
function progressOf({ line }: Agent, { heartbeat_ms }: AgentConfig): () => boolean {
  let [signed, since] = [line.spool.last?.sequence, performance.now()];
  return () => {
    if (line.spool.last?.sequence !== signed) [signed, since] = [line.spool.last?.sequence, performance.now()];
    return performance.now() - since < heartbeat_ms + GRACE_MS;
  };
}

function sayHow({ line, withheldBecause }: Agent, log: Logger): void {
  if (withheldBecause !== undefined) {
    const problem = withheldBecause.message;
    log.error({ problem }, 'no rules are in force: everything is counted and nothing is released');
  }
  log.info({ sequence: line.spool.last?.sequence ?? 0, waiting: line.spool.waiting.length }, 'spool open');
}

type KnownNow = Known & { readonly clock: SystemClock };

/** The sensor describes who lives; /proc is for what it could not tell, and only where it counts pids as the sensor does. */
function knownTo({ source }: AgentConfig): KnownNow {
  const processes = new ProcessTable(source === 'proc' || sharesPids() ? '/proc' : undefined);
  if (source === 'proc') processes.scan();
  return { processes, users: new UserNames(), clock: new SystemClock() };
}

interface House {
  /** Rejects when the housekeeping did. */
  readonly failed: Promise<never>;
  end(): void;
}

/** Clock, names, who is alive and which keys are needed are looked after every ten seconds, the keys at once. */
async function keepHouse(config: AgentConfig, { keys }: Agent, known: KnownNow, log: Logger): Promise<House> {
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
  await keepKeys();
  const failed = Promise.withResolvers<never>();
  const timer = setInterval(() => {
    known.clock.anchor();
    known.users.refresh();
    known.processes.sweep(known.clock.bootNs());
    keepKeys().catch(failed.reject);
  }, HOUSEKEEPING_MS);
  return { failed: failed.promise, end: () => clearInterval(timer) };
}

/** The code alone: a message may quote a path. */
const codeOf = (error: Error): string => ('code' in error ? String(error.code) : error.name);
