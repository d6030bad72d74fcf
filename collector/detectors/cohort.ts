/**
 * Alerts when a node differs from its peers: nodes of one cohort that run the same software should do the same.
 *
 * Each hour is judged once, `patience_hours` after its end by the newest event of the cohort, so that nodes which are
 * late by less than that change nothing: the order in which batches of different nodes come does not matter. A
 * node that is later is told once, and left out. A difference that was told, or that was there while it learned, is taken as
 * given until it is gone for a month.
 */
import { EVENTS } from '#protocol/vocabulary.ts';
import { tempered } from './baseline.ts';
import { alertId, HOUR, type Alert, type Detector, type EvidenceBatch, type ReleasedRecord } from './detector.ts';
import { knobsOf, type KnobsOf } from './knobs.ts';
import { RecentLoss } from './loss.ts';
import { differencesAmong, type Difference, type Hourly } from './peers.ts';
import { comparable } from './pseudonym.ts';
import { Releases } from './releases.ts';
import { itemsOf, mapOf, memberOf, numberOf, putLast, rowsOf, rowsOfNodes, textOf } from './saved.ts';

export type CohortKnobs = Partial<KnobsOf<'cohort'>>;

const DAY_HOURS = 24;
const MAX_DEEDS = 300;
const MAX_RECENT = 2_000;
const MAX_GIVEN = 10_000;
const GIVEN_HOURS = 30 * DAY_HOURS;
const MAX_TOLD = 5;
/** A clock that is further ahead does not push the others. */
const MAX_AHEAD = HOUR;

/** An hour of a node that was not judged yet. */
export interface Pending {
  readonly release: string;
  readonly changedAt: number;
  readonly deeds: Map<string, { readonly logIndex: number; readonly line: number }>;
  readonly amounts: Map<string, number>;
  /** Lost or sampled away around it. */
  loss: number;
}

export interface Member {
  readonly hours: Map<number, Pending>;
  /** Deed -> hour in which it was done last, judged hours only. */
  readonly recent: Map<string, number>;
  /** Its first and its last judged hour. */
  firstHour: number;
  lastHour: number;
}

export interface Cohort {
  readonly members: Map<string, Member>;
  /** Node and difference -> hour in which it was there last. */
  readonly given: Map<string, number>;
  /** Time of its newest event. */
  front: number;
  /** Hours up to this one are judged. */
  judged: number;
  firstHour: number;
  saidAlone: boolean;
}

export function makeCohortDetector(knobs: CohortKnobs = {}, saved?: unknown): Detector {
  const values = knobsOf('cohort', { cohort: knobs });
  const releases = new Releases(memberOf(saved, 'releases'));
  const losses = new RecentLoss(memberOf(saved, 'losses'));
  const cohorts = mapOf(memberOf(saved, 'cohorts'), cohortOf);

  return {
    id: 'cohort',
    *observe(batch): Iterable<Alert> {
      losses.observe(batch.statement, batch.receivedAt);
      releases.begin(batch);
      const cohort = cohorts.get(batch.cohort) ?? blankCohort();
      cohorts.set(batch.cohort, cohort);
      for (const [line, record] of batch.events.entries()) {
        releases.observe(batch.node, record);
        if (record.time > batch.receivedAt + MAX_AHEAD) continue;
        if (!note(cohort, batch, line, record, releases, losses.around(batch.node))) {
          if (isNews(cohort, batch.node, 'late', cohort.judged))
            yield lateAlert(batch, line, record, values.patience_hours);
          continue;
        }
        cohort.front = Math.max(cohort.front, record.time);
        const due = Math.floor((cohort.front - values.patience_hours * HOUR) / HOUR) - 1;
        while (cohort.judged < due) {
          yield* judge(batch.cohort, cohort, nextHour(cohort, due), values);
        }
      }
    },
    tick: () => [],
    save: () => ({ releases: releases.save(), losses: losses.save(), cohorts: rowsOfNodes(cohorts, rowOf) }),
  };
}

/** What a detector saved, to be looked at: a copy that nobody else holds. */
export const cohortsIn = (saved: unknown): ReadonlyMap<string, Cohort> => mapOf(memberOf(saved, 'cohorts'), cohortOf);

const blankCohort = (): Cohort => ({
  ...{ members: new Map(), given: new Map(), front: 0, judged: -1, firstHour: -1, saidAlone: false },
});

/** Hours in which nobody did anything are passed at once. */
function nextHour({ members }: Cohort, due: number): number {
  let next = due;
  for (const { hours } of members.values()) for (const hour of hours.keys()) next = Math.min(next, hour);
  return next;
}

function note(
  cohort: Cohort,
  { node, logIndex }: EvidenceBatch,
  line: number,
  record: ReleasedRecord,
  releases: Releases,
  loss: number,
): boolean {
  const hour = Math.floor(record.time / HOUR);
  if (hour <= cohort.judged) return false;
  const member = cohort.members.get(node) ?? {
    hours: new Map<number, Pending>(),
    recent: new Map(),
    firstHour: -1,
    lastHour: -1,
  };
  cohort.members.set(node, member);
  const pending = member.hours.get(hour) ?? {
    ...{ release: releases.of(node), changedAt: releases.changedAt(node), deeds: new Map(), amounts: new Map() },
    loss: 0,
  };
  pending.loss = Math.max(pending.loss, loss);
  member.hours.set(hour, pending);
  const { class: kind } = EVENTS[record.event];
  if (kind === 'host' || kind === 'self') return true;
  const amount = 1 + (numberOf(record['event.repeats']) ?? 0);
  pending.amounts.set(kind, (pending.amounts.get(kind) ?? 0) + amount);
  const deed = deedOf(record);
  if (deed !== undefined && !pending.deeds.has(deed) && pending.deeds.size < MAX_DEEDS) {
    pending.deeds.set(deed, { logIndex, line });
  }
  return true;
}

/** What can be compared between nodes: programs and ports. Pseudonyms of each node are its own. */
function deedOf(record: ReleasedRecord): string | undefined {
  const program = comparable(textOf(record['process.executable.path']) ?? '');
  if (record['error.type'] !== undefined) return undefined;
  switch (record.event) {
    case 'process.exec':
      return program === '' ? undefined : `running ${program}`;
    case 'network.listen':
      return portDeed('listening', program, record['network.local.port']);
    case 'network.connect':
      return portDeed('connecting', program, record['network.peer.port']);
    case 'kernel.module.load':
      return `loading module ${comparable(textOf(record['kernel.module.name']) ?? '…')}`;
    case 'session.start':
      return `a log-in by ${textOf(record['session.service']) ?? '…'} with ${textOf(record['session.authentication.method']) ?? '…'}`;
    default:
      return undefined;
  }
}

function portDeed(verb: string, program: string, port: unknown): string | undefined {
  return typeof port === 'number' && port < 32_768 ? `${verb} on port ${port} by ${program}` : undefined;
}

export interface Judged extends Hourly {
  readonly release: string;
  readonly changedAt: number;
  readonly loss: number;
  /** It is known for a whole day, so that its peers may be measured by it. */
  readonly isKnownWell: boolean;
}

/** Takes the hour of every member out of what is pending, compares them, and remembers it. */
function* judge(name: string, cohort: Cohort, hour: number, knobs: KnobsOf<'cohort'>): Iterable<Alert> {
  if (cohort.firstHour < 0) cohort.firstHour = hour;
  const awake: Judged[] = [];
  // By name, so that the order in which nodes became known does not matter.
  for (const [node, member] of [...cohort.members].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const pending = member.hours.get(hour);
    member.hours.delete(hour);
    if (pending !== undefined) awake.push(hourlyOf(node, member, hour, pending));
  }
  cohort.judged = Math.max(cohort.judged, hour);
  for (const [difference, last] of cohort.given) if (last < hour - GIVEN_HOURS) cohort.given.delete(difference);
  if (awake.length === 1 && !cohort.saidAlone && hour - cohort.firstHour >= knobs.learning_hours) {
    cohort.saidAlone = true;
    yield aloneAlert(name, awake[0]?.node ?? '', hour);
  }
  const isLearning = hour - cohort.firstHour < knobs.learning_hours;
  for (const [, alike] of Map.groupBy(awake, ({ release }) => release)) {
    const mature = alike.filter(({ isKnownWell }) => isKnownWell || isLearning);
    const differences = differencesAmong(mature, knobs).filter(({ node, key }) => isNews(cohort, node, key, hour));
    if (isLearning) continue;
    for (const [node, own] of Map.groupBy(differences, (each) => each.node)) {
      const hourly = alike.find((each) => each.node === node);
      const alert = differenceAlert(name, node, own, mature.length, hour, hourly?.loss ?? 0);
      const changedAt = hourly?.changedAt ?? 0;
      yield (hour + 1) * HOUR - changedAt < knobs.relearn_hours * HOUR ? tempered(alert) : alert;
    }
  }
}

/** Its hour as peers are compared by; remembers it as judged. */
export function hourlyOf(
  node: string,
  member: Member,
  hour: number,
  { deeds, amounts, release, changedAt, loss }: Pending,
): Judged {
  if (member.firstHour < 0) member.firstHour = hour;
  for (const deed of deeds.keys()) putLast(member.recent, deed, hour, MAX_RECENT);
  const stopped = new Set<string>();
  for (const [deed, last] of member.recent) {
    if (last > hour - DAY_HOURS) break;
    member.recent.delete(deed);
    // Who was away did not stop.
    if (hour - member.lastHour === 1) stopped.add(deed);
  }
  member.lastHour = hour;
  const isKnownWell = hour - member.firstHour >= DAY_HOURS;
  return {
    node,
    deeds,
    amounts,
    release,
    changedAt,
    loss,
    recent: new Set(member.recent.keys()),
    stopped,
    isKnownWell,
  };
}

/** Remembers the difference; true when it was not there before. */
function isNews({ given }: Cohort, node: string, key: string, hour: number): boolean {
  const difference = `${node} ${key}`;
  const isKnown = given.has(difference);
  putLast(given, difference, hour, MAX_GIVEN);
  return !isKnown;
}

function differenceAlert(
  cohort: string,
  node: string,
  differences: readonly Difference[],
  nodes: number,
  hour: number,
  loss: number,
): Alert {
  const isGrave = differences.some((each) => each.isGrave);
  const told = differences.slice(0, MAX_TOLD).map(({ says }) => says);
  const more = differences.length > MAX_TOLD ? `, and in ${differences.length - MAX_TOLD} more things` : '';
  const doubt = nodes === 2 ? ' (of two nodes nobody can say which is odd; this is new on this one)' : '';
  const lost = loss === 0 ? '' : `; ${loss} events were lost around it`;
  return {
    id: alertId('cohort', 'differs', node, `${hour} ${differences.map(({ key }) => key).join()}`),
    time: (hour + 1) * HOUR,
    node,
    detector: 'cohort',
    rule: 'differs',
    title: 'A node differs from its peers',
    severity: isGrave ? 'medium' : 'low',
    reason: `A node differs from its peers: ${node} of ${nodes} alike in ${cohort} showed ${told.join('; ')}${more}${doubt}${lost}.`,
    silencedBy:
      'the same on more of its peers, the same difference told before, or a larger detectors.cohort.odd_share',
    attack: [],
    events: differences.flatMap(({ at }) => (at === undefined ? [] : [at])).slice(0, MAX_TOLD),
    entity: undefined,
    loss,
    measures: differences.slice(0, MAX_TOLD).map(({ measure }) => measure),
  };
}

function lateAlert({ node, logIndex }: EvidenceBatch, line: number, { time }: ReleasedRecord, patience: number): Alert {
  return {
    id: alertId('cohort', 'late', node, String(Math.floor(time / HOUR))),
    time,
    node,
    detector: 'cohort',
    rule: 'late',
    title: 'A node is too late to be compared',
    severity: 'informational',
    reason: `A node is too late to be compared: events of ${node} came more than ${patience} h after those of its peers, whose hour was judged without it.`,
    silencedBy: 'a larger detectors.cohort.patience_hours',
    attack: [],
    events: [{ logIndex, line }],
    entity: undefined,
    loss: 0,
  };
}

function aloneAlert(cohort: string, node: string, hour: number): Alert {
  return {
    id: alertId('cohort', 'alone', node, cohort),
    time: (hour + 1) * HOUR,
    node,
    detector: 'cohort',
    rule: 'alone',
    title: 'A node has no peers',
    severity: 'informational',
    reason: `A node has no peers: ${node} is alone in ${cohort}, so that it is compared with its own past only.`,
    silencedBy: 'another node in the same cohort',
    attack: [],
    events: [],
    entity: undefined,
    loss: 0,
  };
}

function rowOf(cohort: Cohort): readonly unknown[] {
  const { members, given, front, judged, firstHour, saidAlone } = cohort;
  const kept = rowsOf(members, ({ hours, recent, firstHour: first, lastHour }) => [
    ...[first, lastHour],
    rowsOf(recent, (hour) => [hour]),
    [...hours].map(([hour, { release, changedAt, deeds, amounts, loss }]) => [
      ...[hour, release, changedAt, loss],
      rowsOf(deeds, ({ logIndex, line }) => [logIndex, line]),
      rowsOf(amounts, (amount) => [amount]),
    ]),
  ]);
  return [front, judged, firstHour, saidAlone, rowsOf(given, (hour) => [hour]), kept];
}

function cohortOf([front, judged, firstHour, saidAlone, given, members]: readonly unknown[]): Cohort | undefined {
  if (typeof front !== 'number' || typeof judged !== 'number' || typeof firstHour !== 'number') return undefined;
  return {
    ...{ front, judged, firstHour, saidAlone: saidAlone === true },
    given: mapOf(given, ([hour]) => numberOf(hour)),
    members: mapOf(members, ([first, last, recent, hours]) => ({
      firstHour: numberOf(first) ?? -1,
      lastHour: numberOf(last) ?? -1,
      recent: mapOf(recent, ([hour]) => numberOf(hour)),
      hours: new Map(itemsOf(hours).flatMap(pendingOf)),
    })),
  };
}

function pendingOf(saved: unknown): readonly (readonly [number, Pending])[] {
  const [hour, release, changedAt, loss, deeds, amounts] = itemsOf(saved);
  if (typeof hour !== 'number' || typeof release !== 'string') return [];
  const places = mapOf(deeds, ([logIndex, line]) =>
    typeof logIndex === 'number' && typeof line === 'number' ? { logIndex, line } : undefined,
  );
  const counts = mapOf(amounts, ([amount]) => numberOf(amount));
  const before = { changedAt: numberOf(changedAt) ?? 0, loss: numberOf(loss) ?? 0 };
  return [[hour, { release, ...before, deeds: places, amounts: counts }]];
}
