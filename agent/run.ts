/**
 * The agent as a process: opens everything, senses and records until it is told to stop, keeps house meanwhile, and ends
 * with everything that it saw signed and on disk.
 */
import pino, { type Logger } from 'pino';
import { keepAlive, tellManager } from '../service/manager.ts';
import { join } from 'node:path';
import { readConfig, waitingForStart } from '../config/schema.ts';
import { sumOf } from '#protocol/statement.ts';
import { InForce } from '../service/in-force.ts';
import { Reloader } from '../service/reload.ts';
import { keepTidy } from '../service/tidy.ts';
import { openAgent, withRules, type exporterOf, type Agent, type AgentConfig } from './agent.ts';
import { KEYS } from './config.ts';
import { Pieces } from './pieces.ts';
import { SystemClock } from './clock.ts';
import { ConfigError } from '../config/yaml.ts';
import { beginChain, Undecided } from './anchor.ts';
import { Damage } from './damage.ts';
import { troubleOf } from './disk.ts';
import type { Known } from './enrich/told.ts';
import type { RawEvent } from './event.ts';
import { record } from './pipeline.ts';
import { ProcessTable, sharesPids } from './process-table.ts';
import { takeReceipts, type ReceiptCounts, type Taking } from './receipts.ts';
import { beginLife, endLife, rulesChanged, type End } from './self.ts';
import { sense } from './sense.ts';
import { neededFrom, SharedKeys } from './shared-keys.ts';
import { Trouble, untilDone } from './trouble.ts';
import { AGENT_METRICS } from '../telemetry/metrics.ts';
import { telemetryWhenAsked } from '../telemetry/when-asked.ts';
import { VERSION } from './build.ts';
import { agentReadings } from './telemetry.ts';
import { UserNames } from './users.ts';

const HOUSEKEEPING_MS = 10_000;
/** So few a minute are little. */
const QUIET_EVENTS = 12_000;
/** A slow disk is not a hanging agent. */
const GRACE_MS = 30_000;

/** Beside the spool, which is all that the agent may write. */
export const reportOf = ({ spool }: Pick<AgentConfig, 'spool'>): string => join(spool, 'configuration.json');

export async function run(file: string, config: AgentConfig, exporter: ReturnType<typeof exporterOf>): Promise<number> {
  const log = pino(
    { name: 'hushwatch-agent', base: null, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination(2),
  );
  const stop = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.on(name, () => stop.abort());
  const begun = await begin(config, log, stop.signal);
  if (begun === undefined) return 0;
  const { before } = begun;
  const agent = withChain(begun.agent, config, log, stop.signal);
  const { line } = agent;
  const inForce = new InForce(agent);
  sayHow(agent, log);

  const known = knownTo(config);
  const house = await keepHouse(config, inForce, known, log);
  const alive = keepAlive(progressOf(inForce));
  const tidy = keepTidy(() => sumOf(line.ledger.totals.seen), QUIET_EVENTS);
  const receipts = { accepted: 0, refused: 0 };
  const damage = new Damage();
  const taking = takeReceipts(receiptsOf(config, agent, receipts, damage, log), stop.signal);
  const pieces = new Pieces(
    sense({ config, agent, inForce, exporter, known, before, damage, log, signal: stop.signal }),
  );
  const reloader = new Reloader({
    file,
    report: reportOf(config),
    read: () => readConfig(file, KEYS),
    prepare: async (next) => {
      const changed = await withRules(inForce.now, next);
      return () => {
        inForce.become(changed);
        pieces.cut();
      };
    },
    waiting: (next) => waitingForStart(config, next, KEYS),
    log,
  });
  await using _telemetry = await telemetryOf(inForce, receipts, config, log);
  tellManager('READY=1');
  await Promise.race([
    recordEach(pieces, inForce, log).catch((error: unknown) => {
      if (!(error instanceof Undecided)) throw error;
      log.warn({ problem: error.message }, 'what was seen meanwhile was signed by nobody');
    }),
    // It ends only by the same signal, or by an error that should end us too.
    taking.then(() => new Promise<never>(() => {})),
    house.failed,
  ]);
  tellManager('STOPPING=1');
  reloader.end();
  house.end();
  await taking;
  leave(config, log);
  alive.end();
  tidy.end();
  const { sequence, waiting } = line.spool;
  const told = {
    sequence,
    waiting: waiting.length,
    receipts,
    unknown: inForce.now.line.redactor.unknown,
  };
  log.info(told, 'stopped');
  return 0;
}

/** A disk that is full or read-only when we start is waited for here: dying of it and starting again would cost more. */
async function begin(
  config: AgentConfig,
  log: Logger,
  signal: AbortSignal,
): Promise<{ readonly agent: Agent; readonly before: End } | undefined> {
  const trouble = new Trouble(log, 'the agent cannot begin, and sees nothing until it can', 'the agent begins');
  return untilDone(
    async () => {
      const agent = await openAgent(config);
      return { agent, before: beginLife(config.spool, agent.herald.boot) };
    },
    trouble,
    signal,
  );
}

/** A chain that is known goes on by itself; one that is not may have to be asked for, and nothing is signed before. */
function withChain(agent: Agent, config: AgentConfig, log: Logger, signal: AbortSignal): Agent {
  if (!mustAsk(agent, config.without_chain)) return agent;
  const begun = askForChain(agent, config, log, signal);
  // Whoever records waits for it; that may be later than it fails.
  begun.catch(() => {});
  return { ...agent, line: { ...agent.line, begun } };
}

const mustAsk = ({ line }: Agent, without: AgentConfig['without_chain']): boolean =>
  without === 'ask' && line.spool.sequence === 0;

async function askForChain(agent: Agent, config: AgentConfig, log: Logger, signal: AbortSignal): Promise<void> {
  const { line, herald, logKey, identity } = agent;
  log.info('no chain is known here: waiting for the collector to say whether there was one');
  const tell = (problem: string): void => log.error({ problem }, 'an answer about the chain cannot be used');
  const { spool, receipts } = config;
  const asking = { spool, receipts, logKey, identity, tell };
  const trouble = new Trouble(log, 'where the chain goes on cannot be asked', 'it is asked where the chain goes on');
  const isBegun = await untilDone(
    async () => {
      await beginChain(line.spool, herald, asking, signal);
      return true;
    },
    trouble,
    signal,
  );
  if (isBegun !== true) throw new Undecided('stopped before the collector could be asked where the chain goes on');
  log.info({ sequence: line.spool.sequence }, 'the chain goes on after this number');
}

function leave({ spool }: AgentConfig, log: Logger): void {
  try {
    endLife(spool);
  } catch (error) {
    if (troubleOf(error) === undefined) throw error;
    log.error({ code: troubleOf(error) }, 'this end cannot be noted; the next start will take it for a crash');
  }
}

function receiptsOf(
  { receipts: directory }: AgentConfig,
  { line, logKey }: Agent,
  counts: ReceiptCounts,
  damage: Damage,
  log: Logger,
): Taking {
  const { spool } = line;
  const trouble = new Trouble(log, 'batches with a receipt could not be removed', 'batches are removed again');
  const damaged = (sequence: number, problem: string): void => {
    const hint = `its events are lost, the next statement says so; look at the disk, then remove ${spool.nameAside(sequence)}`;
    log.error({ sequence, problem, hint }, 'a batch was damaged while it waited, and is set aside');
    damage.note(sequence, problem);
  };
  return { directory, spool, logKey, counts, trouble, damaged };
}

function telemetryOf(
  inForce: InForce<Agent>,
  receipts: ReceiptCounts,
  { metrics_socket, otlp_socket, spool_bytes }: AgentConfig,
  log: Logger,
): Promise<AsyncDisposable | undefined> {
  const { line } = inForce.now;
  const isReleasing = (): boolean => inForce.now.withheldBecause === undefined && inForce.now.canaries?.broken !== true;
  const readings = agentReadings({ spool: line.spool, spoolLimit: spool_bytes, receipts, isReleasing });
  return telemetryWhenAsked(
    { service: 'hushwatch-agent', version: VERSION, metrics: AGENT_METRICS, readings },
    { listen: metrics_socket, otlp: otlp_socket, tell: (problem) => log.warn(problem) },
  );
}

/** A batch names the rules that all its events went through: where the rules change, it is closed, and the next begins. */
async function recordEach(pieces: Pieces<readonly RawEvent[]>, inForce: InForce<Agent>, log: Logger): Promise<void> {
  const writing = new Trouble(
    log,
    'a batch could not be written; its events are counted as lost',
    'batches are written again; the next statements say what was lost',
  );
  const tell = (problem?: Error): void => (problem === undefined ? writing.over() : writing.again(problem));
  let named = inForce.now.herald;
  while (!pieces.isOver) {
    const { line, herald, limits, summing } = inForce.now;
    const change = herald === named ? [] : [rulesChanged(named, herald)];
    if (herald !== named) line.ledger.sumBy(summing, Date.now() * 1_000);
    named = herald;
    await record(pieces.piece(...change), line, herald, limits, tell);
  }
}

/** A heartbeat is signed when nothing happens: an agent that signs nothing for longer than that hangs. */
function progressOf(inForce: InForce<Agent>): () => boolean {
  const { line } = inForce.now;
  let [signed, since] = [line.spool.sequence, performance.now()];
  // Who waits to be told where the chain goes on does not hang.
  const waits = line.begun !== undefined;
  return () => {
    if (line.spool.sequence !== signed) [signed, since] = [line.spool.sequence, performance.now()];
    return (waits && signed === 0) || performance.now() - since < inForce.now.limits.heartbeatMs + GRACE_MS;
  };
}

function sayHow({ line, withheldBecause }: Agent, log: Logger): void {
  if (withheldBecause !== undefined) {
    const problem = withheldBecause.message;
    log.error({ problem }, 'no rules are in force: everything is counted and nothing is released');
  }
  log.info({ sequence: line.spool.sequence, waiting: line.spool.waiting.length }, 'spool open');
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
async function keepHouse(config: AgentConfig, inForce: InForce<Agent>, known: KnownNow, log: Logger): Promise<House> {
  const shared = new SharedKeys(config);
  const trouble = new Trouble(log, 'keys could not be turned; it is tried again', 'keys are turned again');
  const keepKeys = async (): Promise<void> => {
    const { keys } = inForce.now;
    if (keys === undefined) return;
    try {
      if (keys.epochUs !== undefined) keys.keyring.forgetBefore(neededFrom(Date.now() * 1_000, keys.epochUs));
      if (await shared.take(keys.keyring)) log.info('roots of shared pseudonyms were taken');
      trouble.over(true);
    } catch (error) {
      if (error instanceof Error && troubleOf(error) !== undefined) return trouble.again(error);
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
