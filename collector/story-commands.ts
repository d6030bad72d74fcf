/** `hushwatch stories` and `hushwatch alerts`: what was found, what people said of it, and a way to say it. What the first page shows, these show too. */
import { resolve } from 'node:path';
import { becomeOwnerOf, commander, countOf, EXIT, guarded, HOME, parse, say, timeAgo, UsageError } from './command.ts';
import { SEVERITIES, VERDICTS, type AlertRow, type Verdict } from './findings.ts';
import { State } from './state.ts';
import { GROUPINGS, ORDERS, STATUSES, type Grouping, type TriageFilter, type TriageRow } from './triage.ts';

const USAGE = `usage: hushwatch stories [--since 1d] [--node NAME] [--severity medium] [--detector NAME] [--status open]
                         [--text TEXT] [--sort newest] [--group node] [--all] [--limit 50] [--page 1] [--json]
       hushwatch stories show STORY [--json]
       hushwatch stories verdict STORY true | false | acknowledged --reason TEXT
       hushwatch stories verdict all true | false | acknowledged --reason TEXT --expect COUNT [--node NAME]
                         [--severity medium] [--detector NAME] [--status open] [--text TEXT] [--all]
       hushwatch stories record [--limit 100] [--json]
       hushwatch alerts [--since 1d] [--node NAME] [--severity low] [--limit 1000] [--follow] [--suppressed] [--json]
       hushwatch alerts verdict ALERT true | false | acknowledged --reason TEXT

A verdict is about the whole story as it is; when something new is found in it, it is open again. "verdict all" is about each
story that the filter lets through, if they are as many as --expect says. "record" is who changed what, and why.
--status   ${STATUSES.join(', ')}; all without it
--sort     ${ORDERS.join(', ')}
--group    counts instead: by ${GROUPINGS.join(', ')}
--all      those too that are not worth waking anybody for

exit: 0 done, 1 failed, 2 usage

example: hushwatch stories verdict 4711d00d false --reason "the backup, every night"
`;

const HOME_OPTION = { home: { type: 'string', default: HOME } } as const;
const LIST_OPTIONS = {
  ...HOME_OPTION,
  since: { type: 'string' },
  node: { type: 'string' },
  severity: { type: 'string', default: 'informational' },
  json: { type: 'boolean', default: false },
} as const;

/** What people are shown; with --all, what they are not shown too. */
export async function stories(args: string[]): Promise<number> {
  const [verb = '', ...rest] = args;
  return await guarded('stories', USAGE, () => {
    if (verb === 'show') return showStory(rest);
    if (verb === 'verdict') return judge(rest, (_, id) => id);
    if (verb === 'record') return listRecord(rest);
    return listStories(args);
  });
}

export async function alerts(args: string[]): Promise<number> {
  const [verb = '', ...rest] = args;
  return await guarded('alerts', USAGE, async () => {
    if (verb === 'verdict') return judge(rest, (state, id) => state.alert(id)?.story);
    return await listAlerts(args);
  });
}

const FILTER_OPTIONS = {
  ...LIST_OPTIONS,
  detector: { type: 'string' },
  status: { type: 'string' },
  text: { type: 'string' },
  all: { type: 'boolean', default: false },
} as const;

interface Filtering {
  readonly since?: string | undefined;
  readonly node?: string | undefined;
  readonly severity: string;
  readonly detector?: string | undefined;
  readonly status?: string | undefined;
  readonly text?: string | undefined;
  readonly all: boolean;
}

const filterOf = ({ since, node, severity, detector, status, text, all }: Filtering): TriageFilter => ({
  ...{ node, detector, text, shown: all ? undefined : true },
  minSeverity: oneOf('severity', severity, SEVERITIES),
  status: status === undefined ? undefined : oneOf('status', status, STATUSES),
  sinceUs: since === undefined ? undefined : timeAgo('since', since),
});

function listStories(args: string[]): number {
  const { values } = parse(args, {
    ...FILTER_OPTIONS,
    sort: { type: 'string', default: 'newest' },
    group: { type: 'string' },
    limit: { type: 'string', default: '50' },
    page: { type: 'string', default: '1' },
  });
  using state = State.beside(resolve(values.home));
  const filter = filterOf(values);
  if (values.group !== undefined)
    return listGroups(state, filter, oneOf('group', values.group, GROUPINGS), values.json);
  const limit = countOf('limit', values.limit);
  const offset = (countOf('page', values.page) - 1) * limit;
  const found = state.triage.list({ ...filter, limit, offset, order: oneOf('sort', values.sort, ORDERS) });
  // The newest, or the gravest, stands last, above the prompt.
  for (const row of found.toReversed()) say(values.json ? JSON.stringify(row) : storyText(row));
  return EXIT.done;
}

function listGroups(state: State, filter: TriageFilter, by: Grouping, json: boolean): number {
  for (const group of state.triage.groups(filter, by)) {
    const { key, stories: count, severity, last } = group;
    say(json ? JSON.stringify(group) : `${String(count).padStart(6)} ${severity.padEnd(13)} ${momentOf(last)} ${key}`);
  }
  return EXIT.done;
}

/** As `/record` has it: newest first there, last here, above the prompt. */
function listRecord(args: string[]): number {
  const { values } = parse(args, {
    ...HOME_OPTION,
    limit: { type: 'string', default: '100' },
    json: { type: 'boolean', default: false },
  });
  using state = State.beside(resolve(values.home));
  for (const act of state.acts(countOf('limit', values.limit)).toReversed())
    say(values.json ? JSON.stringify(act) : `${momentOf(act.time)} ${act.who} ${act.act}: ${act.reason}`);
  return EXIT.done;
}

const MAX_ALERTS = 200;

function showStory(args: string[]): number {
  const { values, positionals } = parse(args, { ...HOME_OPTION, json: { type: 'boolean', default: false } }, 1);
  using state = State.beside(resolve(values.home));
  const story = storyIn(state, positionals[0], (_, id) => id);
  const [found, verdicts] = [state.alertsOfStory(story.id, MAX_ALERTS), state.verdicts(story.id)];
  if (values.json) say(JSON.stringify({ ...story, evidence: found, verdicts }));
  else say([storyText(story), ...found.map(alertLine), ...verdicts.map(verdictLine)].join('\n'));
  return EXIT.done;
}

const VERDICT_OPTIONS = {
  ...FILTER_OPTIONS,
  reason: { type: 'string', default: '' },
  expect: { type: 'string', default: '0' },
} as const;

/** `storyOf`: which story is meant by what was named. */
function judge(args: string[], storyOf: (state: State, id: string) => string | undefined): number {
  const { values, positionals } = parse(args, VERDICT_OPTIONS, 2);
  const [named] = positionals;
  const verdict = oneOf('verdict', positionals[1] ?? '', VERDICTS);
  const reason = values.reason.trim();
  if (reason === '') throw new UsageError('--reason says why; who reads this later was not there');
  const home = resolve(values.home);
  const about = { time: Date.now() * 1_000, who: commander(), verdict, reason };
  becomeOwnerOf(home);
  using state = State.addingTo(home);
  const record = (act: string): void => state.record({ ...about, act });
  if (named === 'all') return judgeAll(state, values, about, record);
  const { id, title, revision } = storyIn(state, named, storyOf);
  record(`stories verdict ${id} ${verdict}`);
  state.addVerdict({ story: id, ...about, revision });
  say(`${id} ${title}: ${verdict}, by ${about.who}`);
  return EXIT.done;
}

function judgeAll(
  state: State,
  values: Filtering & { readonly expect: string },
  about: Pick<Verdict, 'time' | 'who' | 'verdict' | 'reason'>,
  record: (act: string) => void,
): number {
  const filter = filterOf({ ...values, status: values.status ?? 'open' });
  const [expected, count] = [countOf('expect', values.expect), state.triage.count(filter)];
  if (count !== expected) throw new Error(`there are ${count}, not ${expected}; look at them first`);
  record(`stories verdict all ${about.verdict} ${JSON.stringify(filter)}`);
  if (state.judgeAll(filter, about, expected) !== expected) throw new Error('others came meanwhile; look again');
  say(`${expected} stories: ${about.verdict}, by ${about.who}`);
  return EXIT.done;
}

function storyIn(
  state: State,
  named: string | undefined,
  storyOf: (state: State, id: string) => string | undefined,
): TriageRow {
  if (named === undefined) throw new UsageError('name one; hushwatch stories --json lists them');
  const story = state.triage.one(storyOf(state, named) ?? '');
  if (story === undefined) throw new Error(`there is no story of ${named}`);
  return story;
}

async function listAlerts(args: string[]): Promise<number> {
  const { values } = parse(args, {
    ...LIST_OPTIONS,
    limit: { type: 'string', default: '1000' },
    follow: { type: 'boolean', default: false },
    suppressed: { type: 'boolean', default: false },
  });
  const minSeverity = oneOf('severity', values.severity, SEVERITIES);
  using state = State.beside(resolve(values.home));
  const sinceUs = values.since === undefined ? 0 : timeAgo('since', values.since);
  const { node, suppressed } = values;
  const query = { limit: countOf('limit', values.limit), node, minSeverity, sinceUs, suppressed };
  const tell = (rows: readonly AlertRow[]): void => {
    for (const row of rows) say(values.json ? JSON.stringify(row) : textOf(row));
  };
  const found = state.alerts(query).toReversed();
  tell(found);
  for (let last = found.at(-1)?.seq ?? 0; values.follow;) {
    await new Promise((settle) => setTimeout(settle, 200));
    const more = state.alerts({ ...query, afterSeq: last });
    tell(more);
    last = more.at(-1)?.seq ?? last;
  }
  return EXIT.done;
}

function oneOf<T extends string>(option: string, text: string, known: readonly T[]): T {
  const found = known.find((each) => each === text);
  if (found === undefined) throw new UsageError(`${option} is one of ${known.join(', ')}`);
  return found;
}

const momentOf = (us: number): string => new Date(us / 1_000).toISOString();

function textOf({ time, severity, node, title, reason }: AlertRow): string {
  return `${momentOf(time)} ${severity} ${node} ${title}\n  ${reason}`;
}

const alertLine = ({ id, time, severity, title }: AlertRow): string =>
  `  ${momentOf(time)} ${severity} ${title} (alert ${id})`;

const verdictLine = ({ time, verdict, who, reason }: Verdict): string =>
  `  ${momentOf(time)} said ${verdict} by ${who}: ${reason}`;

const MAX_SAID = 6;

function storyText(story: TriageRow): string {
  const { id, last, severity, node, title, reason, score, alerts: count, findings, loss, attack, status } = story;
  const lost = loss === 0 ? '' : `, ${loss} events lost around it`;
  const heaviest = findings.toSorted((a, b) => b.points - a.points);
  const what = heaviest.slice(0, MAX_SAID).map((each) => `${each.title}${each.count > 1 ? ` ×${each.count}` : ''}`);
  const more = findings.length > MAX_SAID ? `; and ${findings.length - MAX_SAID} more` : '';
  return [
    `${momentOf(last)} ${severity} ${node} ${title}`,
    `  ${reason}`,
    `  score ${score}, ${count} ${count === 1 ? 'alert' : 'alerts'}${lost}; ${attack.slice(0, 8).join(' ') || 'no technique named'}`,
    ...(findings.length > 1 ? [`  findings: ${what.join('; ')}${more}`] : []),
    `  story ${id}, ${status}`,
  ].join('\n');
}
