/** Triage: stories listed, opened, judged; as pages and as the API, by the same questions. */
import { SEVERITIES, VERDICTS } from '../findings.ts';
import { GROUPINGS, ORDERS, STATUSES, type TriageFilter } from '../triage.ts';
import type { StateView } from '../view.ts';
import { mayDo } from './access.ts';
import { IDENTIFIER, LIMIT, NODE, PAGE, REASON } from './fields.ts';
import { AUDITS, LOOKS, OPERATES, WATCHES } from './roles.ts';
import { found, Refused, route, type Asked, type Route, type Values } from './route.ts';
import { listOf } from './schema-parts.ts';
import { named } from './schemas.ts';
import { overview, recordPage, storyPage, suggestionPage, type Asking, type OpenedStory } from './story-pages.ts';

const PER_PAGE = 25;
const ALERTS_SHOWN = 200;
const ACTS_SHOWN = 200;
const NO_STORY = 'No such story';

const STORY = { ...IDENTIFIER, description: 'Of the story.' } as const;
const ALERT = { ...IDENTIFIER, description: 'Of the alert.' } as const;
const FILTER = {
  severity: { type: 'string', enum: SEVERITIES, optional: true, description: 'This or graver.' },
  detector: { type: 'string', maxLength: 64, optional: true, description: 'A detector or a rule among the findings.' },
  node: NODE,
  text: {
    type: 'string',
    maxLength: 200,
    optional: true,
    description: 'In title, sentence, program, node or technique.',
  },
  all: { type: 'boolean', default: false, description: 'Those too that are not worth waking anybody for.' },
} as const;
const STATUS = {
  type: 'string',
  enum: [...STATUSES, 'any'],
  description: 'What was said of it as it is now.',
} as const;
const SORT = { type: 'string', enum: ORDERS, default: 'newest', description: 'In which order.' } as const;
const VERDICT = {
  verdict: { type: 'string', enum: VERDICTS, description: '`acknowledged`: seen, not yet judged.' },
  reason: REASON,
  revision: {
    ...({ type: 'integer', minimum: 0, optional: true } as const),
    description: 'Of the story that was read; as it is now without. What was found later opens it again.',
  },
} as const;

const OF_MANY = {
  verdict: VERDICT.verdict,
  reason: REASON,
  stories: {
    ...({ type: 'integer', minimum: 1 } as const),
    description: 'How many there were when you looked. Refused if there are others now.',
  },
} as const;
const MANY = { ...FILTER, status: { ...STATUS, default: 'open' } } as const;

type Filtering = Omit<Asking, 'sort' | 'group' | 'page'>;
type OfMany = Values<typeof OF_MANY>;

const filterOf = ({ severity, status, detector, node, text, all }: Filtering): TriageFilter => ({
  ...{ detector, node, text, shown: all ? undefined : true },
  minSeverity: SEVERITIES.find((each) => each === severity),
  status: STATUSES.find((each) => each === status),
});

/** The story that was judged. Of a revision that is still to come nobody can have read anything: it would keep the story quiet for good. */
function judge({ view, caller, now }: Asked, id: string, said: Values<typeof VERDICT>): string {
  const { id: story, revision } = found(view.story(id), NO_STORY);
  if (said.revision !== undefined && said.revision > revision)
    throw new Refused(409, `It is at revision ${revision}, not ${said.revision}; look again`);
  view.judge({ story, time: now, who: caller?.name ?? '', ...said });
  return story;
}

function judgeAll({ view, caller, now }: Asked, filter: TriageFilter, { verdict, reason, stories }: OfMany): number {
  const count = view.judgeAll(filter, { verdict, reason, time: now, who: caller?.name ?? '' }, stories);
  if (count !== stories) throw new Refused(409, `There are ${count} now, not ${stories}; look again`);
  return count;
}

export const STORIES: readonly Route[] = [
  route(
    {
      ...{ method: 'GET', path: '/', roles: LOOKS, about: 'Stories that wait for somebody, and how nodes fare.' },
      parameters: {
        ...FILTER,
        status: { ...STATUS, default: 'open' },
        sort: SORT,
        page: PAGE,
        group: { type: 'string', enum: GROUPINGS, optional: true, description: 'Counts instead.' },
      },
    },
    ({ view, caller, now, parameters: asking }) => {
      if (!mayDo(caller, WATCHES)) return { seeOther: '/privacy' };
      const filter = filterOf(asking);
      const { triage } = view;
      const offset = (asking.page - 1) * PER_PAGE;
      const listed = {
        ...{ asking, now, perPage: PER_PAGE, nodes: view.nodes(), total: triage.count(filter) },
        isNew: view.lastStorySeq() === 0,
        mayJudge: mayDo(caller, OPERATES),
        stories: asking.group ? [] : triage.list({ ...filter, offset, limit: PER_PAGE, order: asking.sort }),
        groups: asking.group ? triage.groups(filter, asking.group) : [],
      };
      return { page: overview(listed) };
    },
  ),
  route(
    {
      ...{ method: 'GET', path: '/stories/{id}', roles: WATCHES, about: 'One story, and what to say of it.' },
      parameters: { id: STORY },
    },
    async ({ view, caller, now, parameters: { id } }) => {
      return { page: storyPage(await openStory(view, id, mayDo(caller, OPERATES)), now) };
    },
  ),
  route(
    {
      ...{ method: 'POST', path: '/stories/{id}/verdict', roles: OPERATES, about: 'A verdict from the page.' },
      ...{ takes: 'form', parameters: { id: STORY }, body: VERDICT },
    },
    (asked) => ({ seeOther: `/stories/${judge(asked, asked.parameters.id, asked.body)}` }),
  ),
  route(
    {
      ...{ method: 'POST', path: '/stories/verdict', roles: OPERATES, about: 'One verdict for all of a list.' },
      ...{ takes: 'form', parameters: MANY, body: OF_MANY },
    },
    (asked) => {
      judgeAll(asked, filterOf(asked.parameters), asked.body);
      return { seeOther: '/' };
    },
  ),
  route(
    {
      ...{ method: 'GET', path: '/alerts/{id}/suggestion', roles: WATCHES, about: 'A filter for a false alarm.' },
      parameters: { id: ALERT },
    },
    async ({ view, parameters: { id } }) => {
      const alert = found(view.alert(id), 'No such alert');
      return { page: suggestionPage(alert, await view.suggestion(alert)) };
    },
  ),
  route({ method: 'GET', path: '/record', roles: AUDITS, about: 'Who changed what, and why.' }, ({ view, now }) => ({
    page: recordPage(view.acts(ACTS_SHOWN), now),
  })),
  route(
    {
      ...{ method: 'GET', path: '/api/v1/stories', roles: WATCHES, operation: 'listStories' },
      about: 'Stories, each with what was last said of it.',
      parameters: { ...FILTER, status: { ...STATUS, default: 'any' }, sort: SORT, page: PAGE, limit: LIMIT },
      answer: listOf(named('Story')),
    },
    ({ view, parameters: { page, limit, sort, ...asked } }) => ({
      json: view.triage.list({ ...filterOf(asked), offset: (page - 1) * limit, limit, order: sort }),
    }),
  ),
  route(
    {
      ...{ method: 'GET', path: '/api/v1/stories/groups', roles: WATCHES, operation: 'groupStories' },
      about: 'How many stories of each kind.',
      parameters: {
        ...FILTER,
        status: { ...STATUS, default: 'any' },
        by: { type: 'string', enum: GROUPINGS, default: 'node', description: 'Of which kinds.' },
      },
      answer: listOf(named('Group')),
    },
    ({ view, parameters: { by, ...asked } }) => ({ json: view.triage.groups(filterOf(asked), by) }),
  ),
  route(
    {
      ...{ method: 'GET', path: '/api/v1/stories/{id}', roles: WATCHES, operation: 'getStory' },
      ...{ about: 'One story.', parameters: { id: STORY }, answer: named('Story') },
    },
    ({ view, parameters: { id } }) => ({ json: found(view.triage.one(id), NO_STORY) }),
  ),
  route(
    {
      ...{ method: 'GET', path: '/api/v1/stories/{id}/alerts', roles: WATCHES, operation: 'listAlertsOfStory' },
      about: 'The alerts of a story, in the order in which they were found.',
      parameters: { id: STORY, limit: LIMIT },
      answer: listOf(named('Alert')),
    },
    ({ view, parameters: { id, limit } }) => ({ json: view.alertsOfStory(found(view.story(id), NO_STORY).id, limit) }),
  ),
  route(
    {
      ...{ method: 'GET', path: '/api/v1/stories/{id}/events', roles: WATCHES, operation: 'listEventsOfStory' },
      about: 'Its events, oldest first, as far as their bodies are still kept.',
      ...{ parameters: { id: STORY }, answer: listOf(named('Event')) },
    },
    async ({ view, parameters: { id } }) => ({ json: (await openStory(view, id, false)).events }),
  ),
  route(
    {
      ...{ method: 'GET', path: '/api/v1/alerts/{id}/lineage', roles: WATCHES, operation: 'getLineage' },
      about: 'Events that made the process of an alert and its ancestors, nearest first.',
      ...{ parameters: { id: ALERT }, answer: listOf(named('Event')) },
    },
    async ({ view, parameters: { id } }) => {
      const { node, entity, time } = found(view.alert(id), 'No such alert');
      return { json: entity === undefined ? [] : await view.lineage(node, entity, time) };
    },
  ),
  route(
    {
      ...{ method: 'GET', path: '/api/v1/alerts/{id}/events', roles: WATCHES, operation: 'listEventsOfAlert' },
      about: 'The events of an alert, as far as their bodies are still kept.',
      ...{ parameters: { id: ALERT }, answer: listOf(named('Event')) },
    },
    async ({ view, parameters: { id } }) => {
      const events = await view.eventsAt(found(view.alert(id), 'No such alert').events);
      return { json: events.filter((event) => event !== undefined) };
    },
  ),
  route(
    {
      ...{ method: 'GET', path: '/api/v1/stories/{id}/verdicts', roles: WATCHES, operation: 'listVerdicts' },
      about: 'What people said of a story, oldest first.',
      ...{ parameters: { id: STORY }, answer: listOf(named('Verdict')) },
    },
    ({ view, parameters: { id } }) => ({ json: view.verdicts(found(view.story(id), NO_STORY).id) }),
  ),
  route(
    {
      ...{ method: 'POST', path: '/api/v1/stories/{id}/verdicts', roles: OPERATES, operation: 'giveVerdict' },
      about: 'Says of a story whether it was about something that mattered.',
      ...{ parameters: { id: STORY }, body: VERDICT, answer: listOf(named('Verdict')) },
    },
    (asked) => ({ status: 201, json: asked.view.verdicts(judge(asked, asked.parameters.id, asked.body)) }),
  ),
  route(
    {
      ...{ method: 'POST', path: '/api/v1/stories/verdicts', roles: OPERATES, operation: 'giveVerdicts' },
      about: 'One verdict for each story that the parameters let through, if they are as many as you saw.',
      ...{ parameters: MANY, body: OF_MANY, answer: named('Judged') },
    },
    (asked) => ({ status: 201, json: { stories: judgeAll(asked, filterOf(asked.parameters), asked.body) } }),
  ),
  route(
    {
      ...{ method: 'GET', path: '/api/v1/alerts/{id}/suggestion', roles: WATCHES, operation: 'suggestFilter' },
      about: 'The narrowest Sigma filter that would have kept a false alarm quiet, or why there is none.',
      ...{ parameters: { id: ALERT }, answer: named('Suggestion') },
    },
    async ({ view, parameters: { id } }) => ({ json: await view.suggestion(found(view.alert(id), 'No such alert')) }),
  ),
  route(
    {
      ...{ method: 'GET', path: '/api/v1/record', roles: AUDITS, operation: 'listRecord' },
      about: 'What was changed through this server and by commands: by whom, and why. Newest first.',
      ...{ parameters: { limit: LIMIT }, answer: listOf(named('Act')) },
    },
    ({ view, parameters: { limit } }) => ({ json: view.acts(limit) }),
  ),
];

async function openStory(view: StateView, id: string, mayJudge: boolean): Promise<OpenedStory> {
  const story = found(view.triage.one(id), NO_STORY);
  const { node, root, last } = story;
  const alerts = view.alertsOfStory(id, ALERTS_SHOWN);
  const entity = alerts.find((alert) => alert.entity !== undefined)?.entity ?? root;
  const [events, lineage] = await Promise.all([
    view.eventsAt(story.events),
    entity === undefined ? [] : view.lineage(node, entity, last),
  ]);
  const known = events.filter((record) => record !== undefined).toSorted((a, b) => a.time - b.time);
  return { story, alerts, events: known, lineage, verdicts: view.verdicts(id), mayJudge };
}
