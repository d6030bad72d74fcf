/** What the dashboard may ask about detectors, cohorts and events: answers from what is in force, and from processes that search for it. */
import { cohortReports, type CohortReport } from './detectors/cohort-report.ts';
import { knobsOf } from './detectors/knobs.ts';
import type { Saved } from './explorer/command.ts';
import type { Found } from './explorer/search.ts';
import type { InForce } from './in-force.ts';
import type { Registry } from './registry.ts';
import type { Rulesets } from './rulesets.ts';
import type { State } from './state.ts';
import { RunningBacktests, type Backtests } from './backtests.ts';
import { detectorReport, detectorRows, type DetectorReport, type DetectorRow } from './tuning/detector-report.ts';
import { Questions } from './questions.ts';

export interface EventsAsked {
  readonly query: string;
  /** µs. */
  readonly sinceUs: number;
  readonly untilUs: number;
  readonly node: string | undefined;
  /** From 0. */
  readonly page: number;
  readonly pageSize: number;
}

export interface SaveAsked extends Pick<EventsAsked, 'query' | 'sinceUs' | 'untilUs' | 'node'> {
  readonly title: string;
  readonly level: string;
  readonly author: string;
}

export interface TuningView {
  detectors(sinceUs: number, nowUs: number): readonly DetectorRow[];
  detector(id: string, sinceUs: number, nowUs: number): DetectorReport | undefined;
  cohorts(): readonly CohortReport[];
  /** Throws QuestionFailed. */
  search(asked: EventsAsked): Promise<Found>;
  /** Throws QuestionFailed. */
  save(asked: SaveAsked): Promise<Saved>;
  readonly backtests: Backtests;
}

export interface Tuned {
  readonly home: string;
  readonly state: State;
  readonly registry: Registry;
  readonly rulesets: Rulesets;
  readonly inForce: () => InForce;
}

const SEARCH_MS = 120_000;
const SEARCHES_AT_ONCE = 2;

export function tuningViewOf({ home, state, registry, rulesets, inForce }: Tuned): TuningView & Disposable {
  const questions = new Questions(SEARCHES_AT_ONCE);
  const backtests = new RunningBacktests(home);
  const reportOptions = (sinceUs: number, nowUs: number): Parameters<typeof detectorRows>[0] => ({
    ...{ home, inForce: inForce(), rulesets, state, sinceUs, nowUs },
  });
  const events = async (asked: SaveAsked | EventsAsked, args: readonly string[]): Promise<string> =>
    await questions.ask([...eventsArguments(home, asked), ...args, '--json', '--', '-'], {
      timeoutMs: SEARCH_MS,
      input: asked.query,
    });
  return {
    detectors: (sinceUs, nowUs) => detectorRows(reportOptions(sinceUs, nowUs)),
    detector: (id, sinceUs, nowUs) => detectorReport(id, reportOptions(sinceUs, nowUs)),
    cohorts: () =>
      cohortReports(state.detectorState('cohort'), nodesOf(state, registry), knobsOf('cohort', inForce().tuning)),
    search: async (asked) => {
      const paging = ['--histogram', '--page', String(asked.page + 1), '--limit', String(asked.pageSize)];
      const found: Found = JSON.parse(await events(asked, paging));
      return found;
    },
    save: async (asked) => {
      const { title, level, author } = asked;
      // With `=`, so that nothing that was typed is taken for an option.
      const options = [`--save-as-detector=${title}`, `--level=${level}`, `--author=${author}`];
      const saved: Saved = JSON.parse(await events(asked, options));
      return saved;
    },
    backtests,
    [Symbol.dispose]: () => backtests[Symbol.dispose](),
  };
}

function eventsArguments(
  home: string,
  { sinceUs, untilUs, node }: Pick<EventsAsked, 'sinceUs' | 'untilUs' | 'node'>,
): readonly string[] {
  const iso = (us: number): string => new Date(us / 1_000).toISOString();
  const ofNode = node === undefined ? [] : [`--node=${node}`];
  return ['events', '--home', home, '--since', iso(sinceUs), '--until', iso(untilUs), ...ofNode];
}

function nodesOf(
  state: State,
  registry: Registry,
): readonly { readonly name: string; readonly cohort: string; readonly lastReceived: number }[] {
  const sent = new Map(state.nodes().map((node) => [node.name, node.lastReceived]));
  return registry.nodes().map(({ name, cohort }) => ({ name, cohort, lastReceived: sent.get(name) ?? 0 }));
}
