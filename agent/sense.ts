/**
 * Everything that this agent senses, as one stream of raw events: what the kernel tells, what follows from it, what the
 * machine and its journal say, and what the agent says of itself, first and last.
 */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { EVENTS } from '#protocol/vocabulary.ts';
import type { InForce } from '../service/in-force.ts';
import { directoryOf, type exporterOf, type Agent, type AgentConfig } from './agent.ts';
import { VERSION } from './build.ts';
import type { Damage } from './damage.ts';
import { derive, Deriver } from './derive.ts';
import { Enricher } from './enrich.ts';
import type { Known } from './enrich/told.ts';
import type { RawEvent } from './event.ts';
import { Inspector, notice } from './inspect.ts';
import { Digester } from './inspect/digest.ts';
import { merge } from './merge.ts';
import { nodeFiles } from './node-files.ts';
import { observe } from './pipeline.ts';
import { crashed, rulesChanged, SensorLives, type End } from './self.ts';
import { openFrameSource } from './sources/ebpf.ts';
import { exporterEvents } from './sources/exporters.ts';
import { hostEvents } from './sources/host.ts';
import { journalEvents } from './sources/journal.ts';
import { procEvents } from './sources/proc.ts';
import { dueSums } from './sums.ts';

type Exporter = NonNullable<ReturnType<typeof exporterOf>>;
type Chunks = AsyncGenerator<readonly RawEvent[]>;

export interface Sensing {
  readonly config: AgentConfig;
  readonly agent: Agent;
  /** What follows the rules in force asks here. */
  readonly inForce: InForce<Agent>;
  /** Undefined where the sources are our own. */
  readonly exporter: Exporter | undefined;
  readonly known: Known;
  /** How the life before this one ended. */
  readonly before: End;
  readonly damage: Damage;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** Ends, with a last word, when the signal is given. */
export async function* sense(sensing: Sensing): Chunks {
  const { config, agent, before, damage, signal } = sensing;
  const watch = new Watch(config);
  const inspector = new Inspector(new Digester(() => sensing.inForce.now.withMd5), () => loseInspection(agent));
  const { line, herald } = agent;
  yield [...crashed('agent', before), ...rulesChanged(line.spool.last, herald), watch.started('agent', VERSION)];
  yield* merge(
    ofProcesses(sensing, watch, inspector),
    hostEvents(signal),
    inspector.events(signal),
    damage.events(signal),
    ...fromJournal(sensing),
    fromCanaries(sensing),
    fromSums(sensing),
  );
  inspector.close();
  yield [watch.stopped()];
}

/** Until when something was seen for certain: by the last statement of the life before, then by what comes. */
class Watch {
  readonly #source: string;
  /** By the clock that nobody sets; the life before is behind its beginning. */
  #seenUntilMs: number | undefined;

  constructor({ source, spool }: AgentConfig) {
    this.#source = source;
    const signedMs = statSync(join(spool, 'head'), { throwIfNoEntry: false })?.mtimeMs;
    this.#seenUntilMs = signedMs === undefined ? undefined : performance.now() - (Date.now() - signedMs);
  }

  async *over<T>(chunks: AsyncIterable<T>): AsyncGenerator<T> {
    for await (const chunk of chunks) {
      yield chunk;
      this.#seenUntilMs = performance.now();
    }
  }

  started(component: string, version: string): RawEvent {
    const until = this.#seenUntilMs;
    const blind = until === undefined ? undefined : Math.max(0, performance.now() - until) / 1_000;
    return this.#told('hushwatch.start', {
      'hushwatch.component': component,
      'hushwatch.version': version,
      'hushwatch.blind.duration': blind,
    });
  }

  stopped(): RawEvent {
    return this.#told('hushwatch.stop', { 'hushwatch.component': 'agent', 'hushwatch.version': VERSION });
  }

  #told(name: 'hushwatch.start' | 'hushwatch.stop', attributes: RawEvent['attributes']): RawEvent {
    return { name, time: Date.now() * 1_000, attributes: { ...attributes, 'hushwatch.source': this.#source } };
  }
}

/** What processes do, by the one source that is configured. */
function ofProcesses(sensing: Sensing, watch: Watch, inspector: Inspector): Chunks {
  if (sensing.exporter !== undefined) return fromExporter(sensing, sensing.exporter);
  return sensing.config.source === 'proc' ? fromProc(sensing, watch) : fromSensor(sensing, watch, inspector);
}

function fromExporter({ agent, known, signal }: Sensing, exporter: Exporter): Chunks {
  const { spool, ledger } = agent.line;
  const { users } = known;
  return exporterEvents({
    ...exporter,
    users,
    position: spool.exporter,
    note: (mark) => ledger.readExporter(mark),
    signal,
  });
}

function fromSensor(sensing: Sensing, watch: Watch, inspector: Inspector): Chunks {
  const { config, agent, known, log, signal } = sensing;
  const lives = new SensorLives();
  const observed = observe(
    watch.over(openFrameSource(config.socket, signal)),
    new Enricher(known.processes, known.users, known.clock),
    agent.line.ledger,
    {
      met: (version, isNew) => {
        log.info({ version, isNew }, 'sensor connected');
        return [...lives.met(isNew), ...(isNew ? [watch.started('sensor', version)] : [])];
      },
      left: () => lives.left(),
    },
  );
  const deriver = new Deriver(nodeFiles(), (pid) => known.processes.peek(pid)?.args);
  return derive(notice(observed, inspector), deriver, () => performance.now());
}

function fromProc({ known, signal }: Sensing, watch: Watch): Chunks {
  return watch.over(procEvents(known.processes, known.users, signal));
}

function fromJournal({ config, agent, known, signal }: Sensing): readonly Chunks[] {
  if (config.journal === 'off') return [];
  const { spool, ledger } = agent.line;
  const directory = directoryOf(config);
  return [journalEvents({ known, directory, position: spool.journal, note: (at) => ledger.readJournal(at), signal })];
}

/** Where rules are in force, whether they hold: those that come into force later too. */
async function* fromCanaries({ inForce, log, signal }: Sensing): Chunks {
  const warn = (leaks: readonly string[]): void =>
    log.error({ leaks }, 'canaries came out of the redaction: from now on events are counted and not released');
  while (!signal.aborted) {
    const until = AbortSignal.any([signal, inForce.changed]);
    if (inForce.now.canaries !== undefined) yield* inForce.now.canaries.sing(warn, until);
    else await once(until);
  }
}

/** At the end of each window, what the rules in force sum. */
async function* fromSums({ inForce, signal }: Sensing): Chunks {
  while (!signal.aborted) {
    const until = AbortSignal.any([signal, inForce.changed]);
    yield* dueSums(inForce.now.summing.sums ?? [], () => Date.now() * 1_000, until);
    await once(until);
  }
}

/** Resolves when it is given. */
async function once(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await new Promise((settle) => signal.addEventListener('abort', settle, { once: true }));
}

/** A file that could not even be queued for a look. */
function loseInspection({ line }: Agent): void {
  const { class: cls } = EVENTS['file.inspect'];
  line.ledger.received(cls);
  line.ledger.lost('queue', cls);
}
