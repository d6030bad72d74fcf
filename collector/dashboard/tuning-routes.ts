/** Detectors, cohorts, events and back-tests: pages and the HTTP API, by the same questions. */
import { randomUUID } from 'node:crypto';
import { QuestionFailed } from '../questions.ts';
import { MAX_CHANGE } from '../tuning/change.ts';
import { LEVELS } from '../detectors/sigma/rule.ts';
import type { EventsAsked } from '../tuning-view.ts';
import { mayDo } from './access.ts';
import { backtestPage } from './backtest-pages.ts';
import { cohortsPage } from './cohort-pages.ts';
import { detectorPage, detectorsPage, STARTS } from './detector-pages.ts';
import { eventsPage, savedPage, type EventsAsking } from './event-pages.ts';
import { IDENTIFIER, NODE, PAGE, REASON } from './fields.ts';
import { OPERATES, WATCHES } from './roles.ts';
import { found, Refused, route, type Route } from './route.ts';
import { listOf } from './schema-parts.ts';
import { named } from './schemas.ts';

const HOUR_US = 3_600e6;
const MAX_HOURS = 8_784;
const PAGE_SIZE = 50;

const HOURS = {
  ...({ type: 'integer', minimum: 1, maximum: MAX_HOURS, default: 168 } as const),
  description: 'Of so many hours, back from now.',
} as const;
const DETECTOR = {
  ...({ type: 'string', pattern: '^[0-9a-z-]{1,64}$' } as const),
  description: "A rule's id, or the name of a baseline.",
} as const;
const QUERY = {
  ...({ type: 'string', maxLength: 4_000, default: '' } as const),
  description:
    'Tests such as `process.executable.path startswith /tmp/`, joined by `and`, `or`, `not`, parentheses; everything without.',
} as const;
const WHEN = String.raw`^(\d{1,6}[smhd]|\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?Z)$`;
const SINCE = {
  ...({ type: 'string', pattern: WHEN, default: '1h' } as const),
  description: 'So long ago (s, m, h, d), or a moment.',
} as const;
const UNTIL = {
  ...({ type: 'string', pattern: WHEN, optional: true } as const),
  description: 'Likewise; until now without.',
} as const;
const SAVE = {
  title: { type: 'string', minLength: 1, maxLength: 200, description: 'What the rule finds, in a few words.' },
  level: { type: 'string', enum: LEVELS, default: 'medium', description: 'Of the rule.' },
} as const;
const EVENTS = { query: QUERY, since: SINCE, until: UNTIL, node: NODE } as const;
const RUN = { ...IDENTIFIER, description: 'Of the back-test.' } as const;
const TRY = {
  change: {
    ...({ type: 'string', minLength: 1, maxLength: MAX_CHANGE } as const),
    description: 'YAML: `detectors:`, `suppressions:`, or Sigma rules and filters.',
  },
  hours: HOURS,
  detector: { ...DETECTOR, pattern: '^[0-9a-z-]{0,64}$', default: '', description: 'Whose page it was asked on.' },
  reason: REASON,
} as const;
const NO_DETECTOR = 'No such detector';
const NO_RUN = 'No such back-test; the last few are kept';

export const TUNING: readonly Route[] = [
  route(
    {
      ...{ method: 'GET', path: '/detectors', roles: WATCHES, about: 'Every detector, the loudest first.' },
      parameters: { hours: HOURS },
    },
    ({ view, now, parameters: { hours } }) => ({
      page: detectorsPage({ rows: view.tuning.detectors(now - hours * HOUR_US, now), hours, now }),
    }),
  ),
  route(
    {
      ...{ method: 'GET', path: '/detectors/{detector}', roles: WATCHES, about: 'One detector, and what if.' },
      parameters: {
        ...{ detector: DETECTOR, hours: HOURS },
        start: { type: 'string', enum: STARTS, optional: true, description: 'What the change begins with.' },
      },
    },
    ({ view, caller, now, parameters: { detector, hours, start } }) => {
      const report = found(view.tuning.detector(detector, now - hours * HOUR_US, now), NO_DETECTOR);
      return {
        page: detectorPage({ report, hours, now, start, mayTry: mayDo(caller, OPERATES), newId: randomUUID() }),
      };
    },
  ),
  route(
    { method: 'GET', path: '/cohorts', roles: WATCHES, about: 'Which node differs from its peers, and in what.' },
    ({ view, now }) => ({ page: cohortsPage(view.tuning.cohorts(), now) }),
  ),
  route(
    {
      ...{ method: 'GET', path: '/events', roles: WATCHES, about: 'Events by question.' },
      parameters: { ...EVENTS, page: PAGE },
    },
    async ({ view, now, parameters: asking }) => {
      const answer = await searched(() => view.tuning.search(searchOf(asking, now)));
      return { page: eventsPage({ asking, ...answer, nodes: view.nodes() }) };
    },
  ),
  route(
    {
      ...{ method: 'GET', path: '/events/detector', roles: WATCHES, about: 'A search, written as a rule.' },
      parameters: { ...EVENTS, ...SAVE },
    },
    async ({ view, caller, now, parameters: { title, level, ...asked } }) => {
      const asking: EventsAsking = { ...asked, page: 1 };
      const author = caller?.name ?? '';
      const saved = await answered(() => view.tuning.save({ ...searchOf(asking, now), title, level, author }));
      return { page: savedPage({ asking, saved, mayTry: mayDo(caller, OPERATES) }) };
    },
  ),
  route(
    {
      ...{ method: 'POST', path: '/backtests', roles: OPERATES, about: 'A back-test from a page.', takes: 'form' },
      body: TRY,
    },
    ({ view, caller, body: { change, hours, detector } }) => {
      const asked = { change, hours, detector, who: caller?.name ?? '' };
      const run = started(() => view.tuning.backtests.start(asked));
      return { seeOther: `/backtests/${run.id}` };
    },
  ),
  route(
    {
      ...{
        method: 'GET',
        path: '/backtests/{id}',
        roles: WATCHES,
        about: 'A back-test: how far, or before and after.',
      },
      parameters: { id: RUN },
    },
    ({ view, caller, now, parameters: { id } }) => ({
      page: backtestPage(found(view.tuning.backtests.find(id), NO_RUN), mayDo(caller, OPERATES), now),
    }),
  ),
  route(
    {
      ...{ method: 'POST', path: '/backtests/{id}/cancel', roles: OPERATES, about: 'Ends it.', takes: 'form' },
      ...{ parameters: { id: RUN }, body: { reason: REASON } },
    },
    ({ view, parameters: { id } }) => {
      const run = found(view.tuning.backtests.cancel(id), NO_RUN);
      return { seeOther: `/backtests/${run.id}` };
    },
  ),
  route(
    {
      ...{ method: 'GET', path: '/api/v1/detectors', roles: WATCHES, operation: 'listDetectors' },
      about: 'Every detector and how often it spoke, the loudest first.',
      ...{ parameters: { hours: HOURS }, answer: listOf(named('Detector')) },
    },
    ({ view, now, parameters: { hours } }) => ({ json: view.tuning.detectors(now - hours * HOUR_US, now) }),
  ),
  route(
    {
      ...{ method: 'GET', path: '/api/v1/detectors/{detector}', roles: WATCHES, operation: 'getDetector' },
      about: 'One detector: what it says and why, how loud and about whom, its knobs, suppressions and verdicts.',
      ...{ parameters: { detector: DETECTOR, hours: HOURS }, answer: named('DetectorReport') },
    },
    ({ view, now, parameters: { detector, hours } }) => ({
      json: found(view.tuning.detector(detector, now - hours * HOUR_US, now), NO_DETECTOR),
    }),
  ),
  route(
    {
      ...{ method: 'GET', path: '/api/v1/cohorts', roles: WATCHES, operation: 'listCohorts' },
      about: 'Each node beside its peers in the last whole hour: which differs, in what, and what is normal.',
      answer: listOf(named('Cohort')),
    },
    ({ view }) => ({ json: view.tuning.cohorts() }),
  ),
  route(
    {
      ...{ method: 'GET', path: '/api/v1/search', roles: WATCHES, operation: 'searchEvents' },
      about: 'Released events by question: how many, when, of which kinds, and a page of them, newest first.',
      parameters: {
        ...{ ...EVENTS, page: PAGE },
        size: { type: 'integer', minimum: 1, maximum: 1_000, default: PAGE_SIZE, description: 'Events of a page.' },
      },
      answer: named('Found'),
    },
    async ({ view, now, parameters: { size, ...asking } }) => ({
      json: await answered(() => view.tuning.search({ ...searchOf(asking, now), pageSize: size })),
    }),
  ),
  route(
    {
      ...{ method: 'GET', path: '/api/v1/search/detector', roles: WATCHES, operation: 'saveSearch' },
      about: 'A search, written as a Sigma rule with examples from what it found. Nothing is written.',
      ...{ parameters: { ...EVENTS, ...SAVE }, answer: named('SavedSearch') },
    },
    async ({ view, caller, now, parameters: { title, level, ...asked } }) => {
      const author = caller?.name ?? '';
      const asking = searchOf({ ...asked, page: 1 }, now);
      return { json: await answered(() => view.tuning.save({ ...asking, title, level, author })) };
    },
  ),
  route(
    {
      ...{ method: 'GET', path: '/api/v1/backtests', roles: WATCHES, operation: 'listBacktests' },
      ...{ about: 'The last few back-tests, the newest first.', answer: listOf(named('Backtest')) },
    },
    ({ view }) => ({ json: view.tuning.backtests.list() }),
  ),
  route(
    {
      ...{ method: 'POST', path: '/api/v1/backtests', roles: OPERATES, operation: 'startBacktest' },
      about: 'Begins a back-test of a change. One runs at a time. Nothing is put in force.',
      ...{ body: TRY, answer: named('Backtest') },
    },
    ({ view, caller, body: { change, hours, detector } }) => {
      const asked = { change, hours, detector, who: caller?.name ?? '' };
      return { status: 201, json: started(() => view.tuning.backtests.start(asked)) };
    },
  ),
  route(
    {
      ...{ method: 'GET', path: '/api/v1/backtests/{id}', roles: WATCHES, operation: 'getBacktest' },
      ...{ about: 'How far it is, or what it found.', parameters: { id: RUN }, answer: named('Backtest') },
    },
    ({ view, parameters: { id } }) => ({ json: found(view.tuning.backtests.find(id), NO_RUN) }),
  ),
  route(
    {
      ...{ method: 'POST', path: '/api/v1/backtests/{id}/cancel', roles: OPERATES, operation: 'cancelBacktest' },
      about: 'Ends a back-test that is no longer wanted.',
      ...{ parameters: { id: RUN }, body: { reason: REASON }, answer: named('Backtest') },
    },
    ({ view, parameters: { id } }) => ({ status: 201, json: found(view.tuning.backtests.cancel(id), NO_RUN) }),
  ),
];

function searchOf({ query, since, until, node, page }: EventsAsking, now: number): EventsAsked {
  const sinceUs = momentOf(since, now);
  const untilUs = until === undefined ? now : momentOf(until, now);
  return { query, sinceUs, untilUs, node, page: page - 1, pageSize: PAGE_SIZE };
}

const UNITS: Readonly<Record<string, number>> = { s: 1e6, m: 60e6, h: HOUR_US, d: 24 * HOUR_US };

function momentOf(text: string, now: number): number {
  const [, n = '', unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const at = n === '' ? Date.parse(text) * 1_000 : now - Number(n) * (UNITS[unit] ?? 1);
  if (Number.isNaN(at)) throw new Refused(400, `${text} is no moment`);
  return at;
}

/** A question that is wrong is shown beside what was asked, to be mended. */
async function searched<T>(
  ask: () => Promise<T>,
): Promise<{ readonly found: T | undefined; readonly problem: string | undefined }> {
  try {
    return { found: await ask(), problem: undefined };
  } catch (error) {
    if (error instanceof QuestionFailed) return { found: undefined, problem: error.message };
    throw error;
  }
}

const STATUS: Readonly<Record<QuestionFailed['code'], number>> = {
  ...{ refused: 400, busy: 503, 'too-long': 503, 'too-much': 400, cancelled: 503, broken: 500 },
};

const refusal = (error: unknown): unknown =>
  error instanceof QuestionFailed ? new Refused(STATUS[error.code], error.message) : error;

async function answered<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    throw refusal(error);
  }
}

function started<T>(start: () => T): T {
  try {
    return start();
  } catch (error) {
    throw refusal(error);
  }
}
