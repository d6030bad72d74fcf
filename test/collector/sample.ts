/** A collector in a directory of its own, and nodes that send to it. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { encodeBatch, packBody } from '#protocol/batch.ts';
import { NOTE_SIGNATURE, signingKey, signNote, type SigningKey } from '#protocol/note.ts';
import { formatRestart, linkOf, type Restart } from '#protocol/restart.ts';
import { NO_PREVIOUS, statementDigest, type Counts, type Statement, type Turning } from '#protocol/statement.ts';
import { CLASSES, EVENTS, isEventName, vocabularyDigest, type EventClass } from '#protocol/vocabulary.ts';
import { Chains } from '../../collector/chains.ts';
import type { Disk } from '../../collector/disk.ts';
import { EvidenceStore } from '../../collector/evidence.ts';
import { TransparencyLog } from '../../collector/log.ts';
import type { Collector } from '../../collector/pipeline.ts';
import type { RegisteredNode } from '../../collector/registry.ts';
import type { ReleasedValidator } from '../../collector/released.ts';
import { State } from '../../collector/state.ts';
import { FIRST, logKey, signedStatement } from '../protocol/sample.ts';

export const RULESET = FIRST.ruleset;
/** Some rules were approved with it. */
export const FORMER_VOCABULARY = 'e'.repeat(64);
/** Pseudonyms of a node change each day. */
export const TURNING: Turning = { hours: 24, scopes: ['node'] };
export const pin = (fill: string): string => `sha256/${fill.repeat(43)}=`;

/** A validator that releases two events with one attribute each. */
export const validate: ReleasedValidator = (line) => {
  const allowed = new Set(['event', 'time', 'process.executable.path', 'file.path', 'file.open.access']);
  const extra = Object.keys(Object(line)).find((key) => !allowed.has(key));
  return extra === undefined ? undefined : { attribute: extra, problem: 'is not released' };
};

export interface OpenCollector extends Collector, AsyncDisposable {
  readonly nodes: Map<string, RegisteredNode>;
}

export async function openCollector(home: string, nodes: readonly SampleNode[], disk?: Disk): Promise<OpenCollector> {
  mkdirSync(home, { recursive: true });
  const evidence = await EvidenceStore.open(home, disk);
  const log = await TransparencyLog.open(join(home, 'log'), logKey, disk);
  const state = State.open(join(home, 'state.sqlite'));
  await state.follow(log, async ({ body }) => (await evidence.keptAt(body.sha256)) ?? 0);
  const registered = new Map(nodes.map((node) => [node.name, node.registered]));
  return {
    nodes: registered,
    registry: { node: (name) => registered.get(name) },
    rulesets: {
      validatorOf: (digest) => (digest === RULESET ? validate : undefined),
      epochsOf: (digest) => (digest === RULESET ? { turning: TURNING, resolution: 1_000 } : undefined),
      isUnreadable: () => false,
    },
    approvals: {
      has: (kind, digest) => kind === 'ruleset' || digest === FIRST.rulepack,
      knows: (vocabulary) => vocabulary === FORMER_VOCABULARY,
    },
    chains: new Chains(state),
    evidence,
    log,
    state,
    async [Symbol.asyncDispose]() {
      await log.close();
      state[Symbol.dispose]();
    },
  };
}

export const line = (event: string, time: number, attributes: object = {}): string =>
  JSON.stringify({ event, time, ...attributes });

/** A node that signs one batch after the other. */
export class SampleNode {
  readonly name: string;
  key: SigningKey;
  #last: Statement | undefined;
  #restart: Restart | undefined;

  constructor(name = 'node-1') {
    this.name = name;
    this.key = signingKey(name, NOTE_SIGNATURE, generateKeyPairSync('ed25519').privateKey);
  }

  get registered(): RegisteredNode {
    const { name, key } = this;
    return {
      name,
      role: FIRST.role,
      cohort: FIRST.cohort,
      batchKey: key.verifier,
      formerKeys: [],
      transportKey: pin('A'),
    };
  }

  /** The statement of the last batch. */
  get last(): Statement | undefined {
    return this.#last;
  }

  /** The next batch of the chain with these lines; `changes` break it on purpose. */
  next(lines: readonly string[], changes: Partial<Statement> = {}): Uint8Array {
    const restart = this.#restart;
    const before = restart === undefined ? this.#last : undefined;
    const events = countClasses(lines);
    const times = lines.map((text) => Number(/"time":([0-9]+)/.exec(text)?.[1] ?? 0));
    const packed = packBody(lines);
    const released = added(before?.released ?? {}, events);
    const statement: Statement = {
      ...FIRST,
      node: this.name,
      vocabulary: vocabularyDigest(),
      sequence: (restart?.sequence ?? before?.sequence ?? 0) + 1,
      previous: restart ? linkOf(restart).digest : before === undefined ? NO_PREVIOUS : statementDigest(before),
      time: lines.length === 0 ? { first: 0, last: 0 } : { first: Math.min(...times), last: Math.max(...times) },
      events,
      seen: released,
      released,
      merged: {},
      sampled: {},
      withheld: {},
      lost: {},
      body: packed.body,
      ...changes,
    };
    this.#last = statement;
    this.#restart = undefined;
    return encodeBatch({ note: signedStatement(statement, this.key), body: packed.bytes });
  }

  /** A restart after the last batch, which stands at `index`; `changes` break it on purpose. */
  restart(index: number, changes: Partial<Restart> = {}): Uint8Array {
    const last = this.#restart === undefined ? this.#last : undefined;
    const { node, boot, role, cohort, agent } = { ...FIRST, node: this.name };
    const place =
      last === undefined
        ? {
            sequence: (this.#restart?.sequence ?? 1) + 1,
            previous: this.#restart ? linkOf(this.#restart).digest : '0'.repeat(64),
          }
        : { sequence: last.sequence + 1, previous: statementDigest(last) };
    const about = { node, boot, role, cohort, agent, reason: 'state-lost', time: Date.now() * 1_000 } as const;
    const restart: Restart = { ...about, ...place, index, ...changes };
    this.#restart = restart;
    return signNote(formatRestart(restart), this.key);
  }

  /** What it signed is gone with its key. */
  loseKey(): void {
    this.key = signingKey(this.name, NOTE_SIGNATURE, generateKeyPairSync('ed25519').privateKey);
  }

  /** Forgets the last batch, so that the next one takes its place. */
  rewindTo(statement: Statement | undefined): void {
    this.#last = statement;
    this.#restart = undefined;
  }
}

function countClasses(lines: readonly string[]): Counts {
  const counts: Partial<Record<EventClass, number>> = {};
  for (const text of lines) {
    const name = /"event":"([^"]*)"/.exec(text)?.[1] ?? '';
    const eventClass = isEventName(name) ? EVENTS[name].class : 'self';
    counts[eventClass] = (counts[eventClass] ?? 0) + 1;
  }
  return counts;
}

function added(a: Counts, b: Counts): Counts {
  return Object.fromEntries(CLASSES.map((name) => [name, (a[name] ?? 0) + (b[name] ?? 0)]));
}
