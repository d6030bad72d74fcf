/**
 * Risk: what is not worth an alert alone, added up. Low and informational alerts give points to their process tree,
 * their log-in session and their node; points fade, and the same thing again gives hardly any. When enough different
 * things came together, that is an alert.
 */
import { decayed } from './decay.ts';
import { alertId, HOUR, spoken, type Alert, type EventReference, type PlacedAlert } from './detector.ts';
import { knobsOf, type KnobsOf } from './knobs.ts';
import { isAtLeast, round } from './points.ts';
import type { Standing } from './process-tree.ts';
import { itemsOf, mapOf, memberOf, numberOf, ofNode, putLast, rowsOf, rowsOfNodes } from './saved.ts';

export type RiskKnobs = Partial<KnobsOf<'risk'>>;

type Kind = 'tree' | 'session' | 'node';

/** What gave points to one tree, session or node. */
interface Account {
  readonly kind: Kind;
  at: number;
  score: number;
  /** Findings that gave points -> what they gave, decayed as the score is. */
  readonly given: Map<string, number>;
  readonly events: EventReference[];
  readonly attack: Set<string>;
  loss: number;
  /** Score at which it alerted last; it must double to alert again. */
  alertedAt: number;
}

/** Accounts of each node; they are forgotten when hardly anything of them is left. */
const CAPACITY = 1_000;
const HALF_LIVES = 8;
const MAX_GIVERS = 24;
const MAX_EVENTS = 20;
/** One finding alone is not "together". */
const LEAST_FINDINGS = 3;

export interface Risk {
  observe(alert: PlacedAlert, standing: Standing | undefined): readonly Alert[];
  save(): unknown;
}

export function makeRisk(knobs: RiskKnobs = {}, saved?: unknown): Risk {
  const { half_life_hours, tree_points, session_points, node_points } = knobsOf('risk', { risk: knobs });
  const halfLifeUs = half_life_hours * HOUR;
  const limits: Readonly<Record<Kind, number>> = { tree: tree_points, session: session_points, node: node_points };
  const nodes = mapOf(memberOf(saved, 'nodes'), ([accounts]) => mapOf(accounts, accountOf));

  const accountFor = (kind: Kind, node: string, name: string, time: number): Account => {
    const accounts = ofNode(nodes, node);
    const key = `${kind} ${name}`;
    const account = accounts.get(key) ?? {
      ...{ kind, at: time, score: 0, given: new Map<string, number>(), events: [], attack: new Set<string>() },
      ...{ loss: 0, alertedAt: 0 },
    };
    putLast(accounts, key, account, CAPACITY);
    for (const [other, { at }] of accounts) {
      if (at >= time - HALF_LIVES * halfLifeUs) break;
      accounts.delete(other);
    }
    return account;
  };

  return {
    observe(alert, standing): readonly Alert[] {
      // What alerts on its own needs no sum. When a cohort is judged depends on other nodes; a sum must not.
      if (isAtLeast(alert.severity, 'medium') || alert.detector === 'risk' || alert.detector === 'cohort') return [];
      const { node, time } = alert;
      const session = standing?.session ?? alert.session;
      const places: readonly (readonly [Kind, string | undefined])[] = [
        ['tree', standing?.root],
        ['session', session],
        ['node', ''],
      ];
      return places.flatMap(([kind, name]) => {
        if (name === undefined) return [];
        const account = accountFor(kind, node, name, time);
        fade(account, time, halfLifeUs);
        give(account, alert);
        if (account.given.size < LEAST_FINDINGS || account.score < Math.max(limits[kind], 2 * account.alertedAt)) {
          return [];
        }
        account.alertedAt = account.score;
        return [riskAlert(alert, account, name, standing, limits[kind], halfLifeUs)];
      });
    },
    save: () => ({ nodes: rowsOfNodes(nodes, (accounts) => [rowsOf(accounts, rowOf)]) }),
  };
}

function fade(account: Account, time: number, halfLifeUs: number): void {
  const elapsed = time - account.at;
  if (elapsed <= 0) return;
  account.at = time;
  account.score = decayed(account.score, elapsed, halfLifeUs);
  account.alertedAt = decayed(account.alertedAt, elapsed, halfLifeUs);
  for (const [giver, points] of account.given) {
    const left = decayed(points, elapsed, halfLifeUs);
    if (left < 0.05) account.given.delete(giver);
    else account.given.set(giver, left);
  }
}

/** A finding fills up to its points: the second time it only gives back what has faded since. */
function give(account: Account, alert: PlacedAlert): void {
  const giver = `${alert.detector}: ${alert.title}`;
  const given = account.given.get(giver) ?? 0;
  const more = Math.max(0, alert.points - given);
  putLast(account.given, giver, given + more, MAX_GIVERS);
  account.score += more;
  account.events.push(...alert.events.slice(0, 2));
  account.events.splice(0, Math.max(0, account.events.length - MAX_EVENTS));
  for (const tag of alert.attack) account.attack.add(tag);
  account.loss = Math.max(account.loss, alert.loss);
}

const PLACES = {
  tree: 'a process tree',
  session: 'a log-in session',
  node: 'a node',
} as const;

function riskAlert(
  alert: PlacedAlert,
  account: Account,
  name: string,
  standing: Standing | undefined,
  limit: number,
  halfLifeUs: number,
): Alert {
  const { node, time } = alert;
  const { kind, score, given, loss } = account;
  const heaviest = [...given].toSorted(([, a], [, b]) => b - a).slice(0, 3);
  const what = heaviest.map(([giver]) => giver.replace(/^[^:]*: /, '').toLowerCase()).join('; ');
  const where = kind === 'node' ? node : `${subjectOf(kind, name, standing)} on ${node}`;
  return {
    id: alertId('risk', kind, node, `${name} ${alert.id}`),
    time,
    node,
    detector: 'risk',
    rule: kind,
    title: `Small things add up in ${PLACES[kind]}`,
    severity: score >= 3 * limit ? 'high' : 'medium',
    reason: `Small things add up: ${where} gathered ${round(score, 1)} points from ${given.size} different findings, fewer than ${limit} are normal: ${what}.`,
    silencedBy: `fewer different findings within ${spoken(halfLifeUs)}, or more points allowed than ${limit} (detectors.risk.${kind}_points)`,
    attack: [...account.attack].slice(0, 16),
    events: [...account.events],
    entity: kind === 'tree' ? name : alert.entity,
    loss,
    measures: [{ what: `risk points of ${PLACES[kind]}`, value: round(score, 1), normal: { from: 0, to: limit } }],
    ...(kind === 'session' ? { session: name } : {}),
  };
}

function subjectOf(kind: Kind, name: string, standing: Standing | undefined): string {
  if (kind === 'session') return `log-in session ${name}`;
  return standing?.program === undefined ? 'a process and what it started' : `${standing.program} and what it started`;
}

function rowOf({ kind, at, score, given, events, attack, loss, alertedAt }: Account): readonly unknown[] {
  const places = events.map(({ logIndex, line }) => [logIndex, line]);
  return [kind, at, score, rowsOf(given, (points) => [points]), places, [...attack], loss, alertedAt];
}

function accountOf(row: readonly unknown[]): Account | undefined {
  const [kind, at, score, given, events, attack, loss, alertedAt] = row;
  if (kind !== 'tree' && kind !== 'session' && kind !== 'node') return undefined;
  if (typeof at !== 'number' || typeof score !== 'number') return undefined;
  return {
    kind,
    at,
    score,
    given: mapOf(given, ([points]) => numberOf(points)),
    events: itemsOf(events).flatMap((place) => {
      const [logIndex, line] = itemsOf(place);
      return typeof logIndex === 'number' && typeof line === 'number' ? [{ logIndex, line }] : [];
    }),
    attack: new Set(itemsOf(attack).filter((tag) => typeof tag === 'string')),
    loss: numberOf(loss) ?? 0,
    alertedAt: numberOf(alertedAt) ?? 0,
  };
}
