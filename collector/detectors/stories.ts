/**
 * Stories: the alerts of one process tree, as long as they follow one another, told as one.
 *
 * An alert without a process joins the alerts of its detector about the same node. A story has the severity of its
 * heaviest finding; several different findings together raise it, the same one again does not. It is a fold over
 * alerts and nothing else, so a replay tells the same stories under the same identifiers.
 */
import { Budget } from './budget.ts';
import {
  alertId,
  DAY,
  HOUR,
  MINUTE,
  type Alert,
  type PlacedAlert,
  type Severity,
  type Story,
  type StoryFinding,
} from './detector.ts';
import { knobsOf, type KnobsOf } from './knobs.ts';
import { Commonness, isAtLeast, round } from './points.ts';
import type { Standing } from './process-tree.ts';
import { itemsOf, mapOf, memberOf, ofNode, putLast, rowsOf, rowsOfNodes } from './saved.ts';

export type StoryKnobs = Partial<KnobsOf<'stories'>>;

/** What different findings are worth together, whatever each is worth alone. */
const RAISED: readonly { readonly severity: Severity; readonly score: number; readonly findings: number }[] = [
  { severity: 'critical', score: 160, findings: 4 },
  { severity: 'high', score: 60, findings: 3 },
  { severity: 'medium', score: 16, findings: 4 },
];
/** For each node. */
const MAX_OPEN = 1_000;
const MAX_FINDINGS = 32;
const MAX_EVENTS = 50;

export interface Told {
  readonly alert: PlacedAlert;
  readonly story: Story;
}

export class Stories {
  /** Node -> tree or detector -> its last story. */
  readonly #open: Map<string, Map<string, Story>>;
  readonly #commonness: Commonness;
  readonly #budget: Budget;
  readonly #gapUs: number;
  readonly #longestUs: number;

  constructor(knobs: StoryKnobs = {}, saved?: unknown) {
    const { gap_minutes, longest_hours, alerts_per_day } = knobsOf('stories', { stories: knobs });
    this.#gapUs = gap_minutes * MINUTE;
    this.#longestUs = longest_hours * HOUR;
    this.#open = mapOf(memberOf(saved, 'open'), ([stories]) => mapOf(stories, ([story]) => storyOf(story)));
    this.#commonness = new Commonness(memberOf(saved, 'commonness'));
    this.#budget = new Budget(alerts_per_day, memberOf(saved, 'budget'));
  }

  /** Finds the place of an alert. `standing`: of the process that it is about, if any. */
  tell(alert: Alert, standing: Standing | undefined): Told {
    const weight = this.#commonness.weigh(alert, standing?.program);
    const stories = ofNode(this.#open, alert.node);
    const key = standing?.root ?? `about ${alert.detector}`;
    const open = stories.get(key);
    const before = open !== undefined && this.#continues(open, alert.time) ? open : undefined;
    const id = before?.id ?? alertId('story', undefined, alert.node, alert.id);
    const placed = { ...alert, severity: weight.severity, story: id, points: weight.points };
    const told = append(before ?? beginning(placed, standing), placed);
    const story = this.#shown(told);
    putLast(stories, key, story, MAX_OPEN);
    this.#close(stories, alert.time);
    return { alert: placed, story };
  }

  /** Forgets those that nothing can join any more, disorder of a day included. */
  #close(stories: Map<string, Story>, time: number): void {
    for (const [key, { last }] of stories) {
      if (last >= time - this.#gapUs - DAY) break;
      stories.delete(key);
    }
  }

  /** Once shown, always shown: what was told is not taken back. */
  #shown(story: Story): Story {
    if (story.shown || !this.#budget.admits(story)) return story;
    return { ...story, shown: true, revision: story.revision + 1 };
  }

  #continues({ first, last }: Story, time: number): boolean {
    return time - last <= this.#gapUs && first - time <= this.#gapUs && time - first <= this.#longestUs;
  }

  save(): unknown {
    return {
      open: rowsOfNodes(this.#open, (stories) => [rowsOf(stories, (story) => [story])]),
      commonness: this.#commonness.save(),
      budget: this.#budget.save(),
    };
  }
}

/** A story of its own, for what is found outside of the evidence, such as a refusal. */
export function tellAlone(alert: Alert): Told {
  return new Stories().tell(alert, undefined);
}

/** Every key in its place: what was saved and read back is spelled as if it had never been. */
const BLANK: Omit<Story, 'id' | 'node' | 'first' | 'last' | 'title' | 'reason' | 'silencedBy'> = {
  revision: 0,
  root: undefined,
  program: undefined,
  session: undefined,
  severity: 'informational',
  score: 0,
  attack: [],
  measures: [],
  findings: [],
  alerts: 0,
  events: [],
  loss: 0,
  shown: false,
};

function beginning(alert: PlacedAlert, standing: Standing | undefined): Story {
  const { story: id, node, time, title, reason, silencedBy } = alert;
  return {
    ...{ ...BLANK, id, node, first: time, last: time, title, reason, silencedBy },
    root: standing?.root,
    program: standing?.program,
    session: standing?.session ?? alert.session,
  };
}

function append(story: Story, alert: PlacedAlert): Story {
  const { findings, isNew, isHeaviest } = withFinding(story.findings, alert);
  const score = round(findings.reduce((sum, { points }) => sum + points, 0));
  // Of findings that are not kept too: what was told is not taken back.
  const severity = graverOf(graverOf(story.severity, alert.severity), severityOf(findings, score));
  const events = isNew || story.events.length < 8 ? [...story.events, ...alert.events] : story.events;
  return {
    ...story,
    ...(isHeaviest ? { title: alert.title, silencedBy: alert.silencedBy, measures: alert.measures ?? [] } : {}),
    reason: reasonOf(story, alert, findings, isHeaviest),
    revision: isNew || severity !== story.severity ? story.revision + 1 : story.revision,
    first: Math.min(story.first, alert.time),
    last: Math.max(story.last, alert.time),
    session: story.session ?? alert.session,
    severity,
    score,
    attack: [...new Set([...story.attack, ...alert.attack])],
    findings,
    alerts: story.alerts + 1,
    events: events.slice(0, MAX_EVENTS),
    // Windows overlap: the worst of them, not their sum.
    loss: Math.max(story.loss, alert.loss),
  };
}

interface Appended {
  readonly findings: readonly StoryFinding[];
  readonly isNew: boolean;
  readonly isHeaviest: boolean;
}

function withFinding(findings: readonly StoryFinding[], alert: PlacedAlert): Appended {
  const { detector, rule, title, severity, points, id } = alert;
  const same = findings.findIndex((each) => each.detector === detector && each.rule === rule);
  const known = findings[same];
  if (known === undefined) {
    const isHeaviest = findings.every((each) => points > each.points);
    const added = { detector, rule, title, severity, points, count: 1, alert: id };
    const kept = heaviestOf([...findings, added]);
    return { findings: kept, isNew: kept.includes(added), isHeaviest };
  }
  const graver = graverOf(severity, known.severity);
  const again = { ...known, count: known.count + 1, severity: graver, points: Math.max(known.points, points) };
  return { findings: findings.with(same, again), isNew: false, isHeaviest: false };
}

/** Where there is one too many, the lightest goes, of several the newest: so the title is always one of them, and no score falls. */
function heaviestOf(findings: readonly StoryFinding[]): readonly StoryFinding[] {
  if (findings.length <= MAX_FINDINGS) return findings;
  const lightest = findings.reduce((least, each) => (each.points <= least.points ? each : least));
  return findings.filter((each) => each !== lightest);
}

/** The gravest finding decides; enough different ones together weigh more than each. */
function severityOf(findings: readonly StoryFinding[], score: number): Severity {
  const gravest = findings.reduce<Severity>((most, { severity }) => graverOf(severity, most), 'informational');
  const raised = RAISED.find((step) => score >= step.score && findings.length >= step.findings)?.severity;
  return raised === undefined ? gravest : graverOf(raised, gravest);
}

const graverOf = (one: Severity, other: Severity): Severity => (isAtLeast(one, other) ? one : other);

const OTHERS = / (?:One|[0-9]+) other findings? in the same story\.$/;

/** One sentence of the heaviest finding, and how much else there is. */
function reasonOf(
  { reason }: Story,
  alert: PlacedAlert,
  findings: readonly StoryFinding[],
  isHeaviest: boolean,
): string {
  const sentence = isHeaviest ? alert.reason : reason.replace(OTHERS, '');
  if (findings.length < 2) return sentence;
  const others = findings.length - 1;
  return `${sentence} ${others === 1 ? 'One other finding' : `${others} other findings`} in the same story.`;
}

/** What {@link Stories.save} wrote, after a look at what is computed with. */
function storyOf(saved: unknown): Story | undefined {
  const isWhole =
    typeof memberOf(saved, 'id') === 'string' &&
    ['first', 'last', 'revision', 'score', 'alerts', 'loss'].every((key) => typeof memberOf(saved, key) === 'number') &&
    ['attack', 'measures', 'findings', 'events'].every((key) => Array.isArray(memberOf(saved, key))) &&
    itemsOf(memberOf(saved, 'findings')).every((each) => typeof memberOf(each, 'points') === 'number');
  if (!isWhole) return undefined;
  // oxlint-disable-next-line no-unsafe-type-assertion -- the one place where a saved Story is read back
  return { ...BLANK, ...(saved as Story) };
}
