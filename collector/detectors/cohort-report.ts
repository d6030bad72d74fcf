/**
 * A cohort, told so that one sees which node differs and in what: each node beside its peers in the last hour that is whole, what is
 * normal by these, and what is taken as given. Pure; what the detector remembers is looked at and not changed.
 */
import { CLASSES, type EventClass } from '#protocol/vocabulary.ts';
import { cohortsIn, hourlyOf, type Cohort, type Judged } from './cohort.ts';
import { HOUR, type Measure } from './detector.ts';
import type { KnobsOf } from './knobs.ts';
import { differencesAmong, mostOdd, normalAmount } from './peers.ts';
import { round } from './points.ts';

export interface CohortNode {
  readonly name: string;
  readonly cohort: string;
  /** µs; 0: never. */
  readonly lastReceived: number;
}

export interface ToldDifference {
  readonly says: string;
  readonly isGrave: boolean;
  readonly measure: Measure;
  /** It was told before, or was there while the cohort was learned: it alerts no more. */
  readonly isGiven: boolean;
}

export interface Amount {
  readonly class: EventClass;
  readonly events: number;
  /** By its peers; undefined of fewer than two. Without `to`: the peers themselves do not agree. */
  readonly normal: { readonly from: number; readonly to?: number; readonly median: number } | undefined;
}

export interface MemberReport {
  readonly node: string;
  /** `silent`: nothing in the hour. `apart`: no peer runs the same software. `new`: known for less than a day, so no measure for others. */
  readonly standing: 'differs' | 'alike' | 'alone' | 'apart' | 'new' | 'silent';
  readonly release: string;
  readonly lastReceived: number;
  readonly peers: number;
  readonly differences: readonly ToldDifference[];
  readonly amounts: readonly Amount[];
}

export interface GivenDifference {
  readonly node: string;
  readonly what: string;
  /** End of the hour in which it was there last, µs. */
  readonly last: number;
}

export interface CohortReport {
  readonly name: string;
  /** Nodes that are registered. */
  readonly nodes: number;
  /** What can be said of a cohort of this size. */
  readonly says: string;
  /** Begin of the hour that is compared, µs; undefined: none yet. */
  readonly hour: number | undefined;
  /** The hour is not over yet. */
  readonly isPartial: boolean;
  /** Differences are taken as given until then, µs; undefined: no longer. */
  readonly learningUntil: number | undefined;
  /** Those that differ first. */
  readonly members: readonly MemberReport[];
  readonly given: readonly GivenDifference[];
}

const MOST_GIVEN = 50;

export function cohortReports(
  saved: unknown,
  nodes: readonly CohortNode[],
  knobs: KnobsOf<'cohort'>,
): readonly CohortReport[] {
  const known = cohortsIn(saved);
  const names = new Set([...nodes.map(({ cohort }) => cohort), ...known.keys()]);
  return [...names].toSorted().map((name) => {
    const own = nodes.filter(({ cohort }) => cohort === name);
    return reportOf(name, own, known.get(name), knobs);
  });
}

function reportOf(
  name: string,
  nodes: readonly CohortNode[],
  cohort: Cohort | undefined,
  knobs: KnobsOf<'cohort'>,
): CohortReport {
  const hour = cohort && comparedHour(cohort);
  const awake = cohort === undefined || hour === undefined ? [] : awakeIn(cohort, hour);
  const isLearning = cohort === undefined || hour === undefined || hour - cohort.firstHour < knobs.learning_hours;
  const comparing: Comparing = { knobs, given: cohort?.given ?? new Map(), isLearning };
  const members = [...Map.groupBy(awake, ({ release }) => release).values()].flatMap((alike) =>
    membersOf(alike, awake.length, nodes, comparing),
  );
  const silent = nodes.filter(({ name: node }) => !awake.some((each) => each.node === node)).map(silentMember);
  const began = cohort !== undefined && cohort.firstHour >= 0 ? cohort.firstHour : hour;
  return {
    name,
    nodes: nodes.length,
    says: saysOf(nodes.length, knobs),
    hour: hour === undefined ? undefined : hour * HOUR,
    isPartial: hour !== undefined && (cohort?.front ?? 0) < (hour + 1) * HOUR,
    learningUntil: began === undefined || !isLearning ? undefined : (began + knobs.learning_hours) * HOUR,
    members: [...members, ...silent].toSorted((a, b) => rankOf(a) - rankOf(b) || (a.node < b.node ? -1 : 1)),
    given: givenIn(cohort),
  };
}

/** What a cohort of so many nodes is good for. */
export function saysOf(nodes: number, knobs: KnobsOf<'cohort'>): string {
  if (nodes === 0) return 'No node of this cohort is registered any more.';
  if (nodes === 1) return 'One node has no peers. It is compared with its own past only, by the other baselines.';
  if (nodes === 2)
    return 'Of two nodes that differ nobody can say which is odd. Only what is new on one of them is told, as low; amounts are not compared.';
  if (nodes === 3)
    return 'Of three nodes one differs when the other two agree: in deeds, and in amounts that are far from both.';
  const few = mostOdd(nodes, knobs.odd_share);
  const many = few === 1 ? 'What one of them does' : `What up to ${few} of them do`;
  return `Of ${nodes} nodes the others are the measure, by median and MAD. ${many} and the others do not is told; when more differ in the same way, it is the cohort that changes.`;
}

/** The last hour that is whole; else the one that goes on. Hours that are judged are gone. */
function comparedHour({ members, front }: Cohort): number | undefined {
  const hours = new Set([...members.values()].flatMap((member) => [...member.hours.keys()]));
  const whole = Math.floor(front / HOUR) - 1;
  const newest = [...hours].toSorted((a, b) => b - a);
  return newest.find((hour) => hour <= whole) ?? newest[0];
}

function awakeIn({ members }: Cohort, hour: number): readonly Judged[] {
  return [...members]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([node, member]) => {
      const pending = member.hours.get(hour);
      return pending === undefined ? [] : [hourlyOf(node, member, hour, pending)];
    });
}

interface Comparing {
  readonly knobs: KnobsOf<'cohort'>;
  readonly given: ReadonlyMap<string, number>;
  readonly isLearning: boolean;
}

function membersOf(
  alike: readonly Judged[],
  awake: number,
  nodes: readonly CohortNode[],
  { knobs, given, isLearning }: Comparing,
): readonly MemberReport[] {
  const mature = alike.filter(({ isKnownWell }) => isKnownWell || isLearning);
  const differences = differencesAmong(mature, knobs);
  return alike.map((hourly) => {
    const own = differences.filter(({ node }) => node === hourly.node);
    const isMeasured = mature.includes(hourly);
    const told = own.map(({ key, says, isGrave, measure }) => ({
      ...{ says, isGrave, measure, isGiven: given.has(`${hourly.node} ${key}`) },
    }));
    const standing = told.length > 0 ? 'differs' : standingOf(isMeasured, mature.length, awake);
    return {
      ...{ node: hourly.node, standing, release: hourly.release, differences: told },
      lastReceived: nodes.find(({ name }) => name === hourly.node)?.lastReceived ?? 0,
      peers: isMeasured ? mature.length - 1 : mature.length,
      amounts: amountsOf(hourly, mature, knobs.deviations),
    };
  });
}

function standingOf(isMeasured: boolean, mature: number, awake: number): MemberReport['standing'] {
  if (!isMeasured) return 'new';
  if (mature > 1) return 'alike';
  return awake > 1 ? 'apart' : 'alone';
}

function amountsOf(node: Judged, mature: readonly Judged[], deviations: number): readonly Amount[] {
  const kinds = CLASSES.filter((kind) => [node, ...mature].some(({ amounts }) => amounts.has(kind)));
  return kinds.map((kind) => {
    const normal = normalAmount(node, mature, kind, deviations);
    return { class: kind, events: round(node.amounts.get(kind) ?? 0, 0), normal: normal && rounded(normal) };
  });
}

function rounded({ from, to, median }: NonNullable<ReturnType<typeof normalAmount>>): NonNullable<Amount['normal']> {
  const upper = Number.isFinite(to) ? { to: round(to, 0) } : {};
  return { from: round(Math.max(0, from), 0), ...upper, median: round(median, 0) };
}

const silentMember = ({ name, lastReceived }: CohortNode): MemberReport => ({
  ...{ node: name, standing: 'silent', release: '', lastReceived, peers: 0, differences: [], amounts: [] },
});

const RANKS: readonly MemberReport['standing'][] = ['differs', 'apart', 'new', 'silent', 'alone', 'alike'];
/** What is new comes before what is given. */
const rankOf = ({ standing, differences }: MemberReport): number =>
  RANKS.indexOf(standing) + (standing === 'differs' && differences.every(({ isGiven }) => isGiven) ? 0.5 : 0);

function givenIn(cohort: Cohort | undefined): readonly GivenDifference[] {
  const rows = [...(cohort?.given ?? [])].map(([difference, hour]) => {
    const space = difference.indexOf(' ');
    return { node: difference.slice(0, space), what: inWords(difference.slice(space + 1)), last: (hour + 1) * HOUR };
  });
  return rows.toSorted((a, b) => b.last - a.last).slice(0, MOST_GIVEN);
}

/** Keys are written for a machine: `+ running /usr/bin/x`. */
function inWords(key: string): string {
  if (key.startsWith('+ ')) return `it alone: ${key.slice(2)}`;
  if (key.startsWith('- ')) return `all but it: ${key.slice(2)}`;
  return key === 'late' ? 'its events come late' : `${key} events than its peers`;
}

const STANDINGS: Readonly<Record<MemberReport['standing'], string>> = {
  differs: 'differs',
  alike: 'as its peers',
  alone: 'alone',
  apart: 'no peer runs the same software',
  new: 'known for less than a day',
  silent: 'nothing in this hour',
};
export const standingInWords = (standing: MemberReport['standing']): string => STANDINGS[standing];

/** For a terminal. */
export function describeCohort({
  name,
  nodes,
  says,
  hour,
  isPartial,
  learningUntil,
  members,
  given,
}: CohortReport): string {
  const iso = (us: number): string => `${new Date(us / 1_000).toISOString().slice(0, 16)}Z`;
  const told = members.map((member) => {
    const differences = member.differences.map((each) => `    ${each.isGiven ? '(as before) ' : ''}${each.says}\n`);
    return `  ${member.node.padEnd(24)} ${standingInWords(member.standing)}\n${differences.join('')}`;
  });
  return [
    `cohort ${name}: ${nodes} ${nodes === 1 ? 'node' : 'nodes'}\n  ${says}\n`,
    hour === undefined
      ? '  nothing was seen yet\n'
      : `  hour of ${iso(hour)}${isPartial ? ', which is not over' : ''}\n`,
    learningUntil === undefined ? '' : `  differences are taken as given until ${iso(learningUntil)}\n`,
    ...told,
    given.length === 0 ? '' : '  taken as given\n',
    ...given.map(({ node, what, last }) => `    ${node}: ${what}, last ${iso(last)}\n`),
  ].join('');
}
