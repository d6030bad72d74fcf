/** Triage as pages: the list of stories with its filters, one story with everything that is known of it, the record of who changed what. */
import type { Measure } from '../detectors/detector.ts';
import { SEVERITIES, type Act, type AlertRow, type Verdict } from '../findings.ts';
import type { NodeRow } from '../state.ts';
import { DETECTORS } from '../suppressions.ts';
import { GROUPINGS, ORDERS, STATUSES, type Grouping, type TriageGroup, type TriageRow } from '../triage.ts';
import type { Suggestion } from '../tuning/suggest.ts';
import type { LocatedRecord } from '../view.ts';
import { page, type Page } from './frame.ts';
import { html, nothing, type Html } from './html.ts';
import { columns } from './table.ts';
import { lineageSection, nodeStrip, whereLeft } from './pages.ts';
import { ago, cut, number, since, summary } from './words.ts';

/** As it stands in the address; what is not asked for is not there. */
export interface Asking {
  readonly severity?: string | undefined;
  readonly status: string;
  readonly detector?: string | undefined;
  readonly node?: string | undefined;
  readonly text?: string | undefined;
  readonly sort: string;
  readonly group?: Grouping | undefined;
  readonly all: boolean;
  readonly page: number;
}

export interface ListedStories {
  readonly asking: Asking;
  readonly stories: readonly TriageRow[];
  readonly groups: readonly TriageGroup[];
  /** That the filter lets through, of which a page is shown. */
  readonly total: number;
  readonly perPage: number;
  /** Nothing was ever found. */
  readonly isNew: boolean;
  readonly nodes: readonly NodeRow[];
  readonly mayJudge: boolean;
  readonly now: number;
}

const STATUS_WORDS: Readonly<Record<string, string>> = {
  open: 'open',
  acknowledged: 'acknowledged',
  true: 'mattered',
  false: 'false alarm',
  any: 'any',
};

export function overview(listed: ListedStories): Page {
  const { asking, nodes, now } = listed;
  return page(
    'Overview',
    '/',
    html`<h1 class="hidden">Overview</h1>
      <section aria-labelledby="nodes-title">
        <h2 id="nodes-title">Nodes</h2>
        <div id="nodes">${nodeStrip(nodes, now)}</div>
      </section>
      <section aria-labelledby="alerts-title">
        <h2 id="alerts-title">
          ${isPlain(asking) ? 'Open stories' : 'Stories'} <span class="quiet">${number(listed.total)}</span>
          <span id="live" class="quiet" role="status"></span>
        </h2>
        ${filterForm(listed)} ${asking.group === undefined ? storyList(listed) : groupList(listed, asking.group)}
      </section>
      <section aria-labelledby="activity-title">
        <h2 id="activity-title">Events a minute, by class</h2>
        <div id="activity" class="plot" data-source="/api/v1/activity"></div>
        <noscript
          ><p class="quiet">The plot needs scripts; <a href="/api/v1/activity">the numbers</a> do not.</p></noscript
        >
      </section>`,
  );
}

/** The first page as it opens: what comes new belongs on it. */
const isPlain = ({ severity, status, detector, node, text, sort, group, all, page: at }: Asking): boolean =>
  [severity, detector, node, text, group].every((each) => each === undefined) &&
  status === 'open' &&
  sort === 'newest' &&
  !all &&
  at === 1;

const queryOf = (given: Readonly<Record<string, string | undefined>>): string =>
  new URLSearchParams(Object.entries(given).flatMap(([name, v]) => (v === undefined ? [] : [[name, v]]))).toString();

/** What decides which stories there are, without order and page. */
const filterIn = ({
  severity,
  status,
  detector,
  node,
  text,
  all,
}: Asking): Readonly<Record<string, string | undefined>> => ({
  ...{ severity, status, detector, node, text },
  all: all ? 'true' : undefined,
});

function addressOf(asking: Asking, change: Partial<Asking>): string {
  const changed = { ...asking, ...change };
  const { sort, group, page: at } = changed;
  return `/?${queryOf({ ...filterIn(changed), sort, group, page: at > 1 ? String(at) : undefined })}`;
}

type Option = readonly [string, string];

function choice(name: string, label: string, options: readonly Option[], chosen: string): Html {
  return html`<span class="field"
    ><label for="by-${name}">${label}</label
    ><select id="by-${name}" name="${name}">
      ${options.map(([v, words]) => html`<option value="${v}" ${v === chosen ? html` selected` : nothing}>${words}</option>`)}
    </select></span
  >`;
}
const withAll = (values: readonly string[]): readonly Option[] => [['', 'all'], ...values.map((v): Option => [v, v])];

function filterForm({ asking, nodes }: ListedStories): Html {
  const statuses = [...STATUSES, 'any'].map((each): Option => [each, STATUS_WORDS[each] ?? each]);
  const graver = SEVERITIES.slice(1, -1).map((each): Option => [each, `${each} or graver`]);
  const severities: readonly Option[] = [['', 'all'], ['critical', 'critical'], ...graver.toReversed()];
  const names = nodes.map(({ name }) => name);
  return html`<form class="filter" method="get" action="/" role="search">
    <span class="field wide"
      ><label for="filter">Text</label
      ><input
        id="filter"
        name="text"
        type="search"
        value="${asking.text}"
        maxlength="200"
        placeholder="Enter searches all"
        autocomplete="off"
    /></span>
    ${choice('status', 'Status', statuses, asking.status)}
    ${choice('severity', 'Severity', severities, asking.severity ?? '')}
    ${choice('node', 'Node', withAll(names), asking.node ?? '')}
    ${choice('detector', 'Detector', withAll(DETECTORS), asking.detector ?? '')}
    ${choice(
      'sort',
      'Sort',
      ORDERS.map((by): Option => [by, by]),
      asking.sort,
    )}
    ${choice('group', 'Group', [['', 'no'], ...GROUPINGS.map((by): Option => [by, `by ${by}`])], asking.group ?? '')}
    <span class="field tick"
      ><input id="by-all" name="all" type="checkbox" value="true" ${asking.all ? html` checked` : nothing} /><label
        for="by-all"
        >minor ones too</label
      ></span
    >
    <button type="submit">Show</button>
    ${isPlain(asking) ? nothing : html`<a href="/">Start over</a>`}
  </form>`;
}

/** For a list that one sentence is true of: the same verdict for all of it, counted, so that nothing unseen is judged with it. */
function verdictForAll({ asking, total, mayJudge }: ListedStories): Html {
  if (!mayJudge || total < 2 || asking.group !== undefined) return nothing;
  return html`<details class="card verdict">
    <summary>One verdict for all ${number(total)} of this list</summary>
    <form method="post" action="/stories/verdict?${queryOf(filterIn(asking))}">
      <input type="hidden" name="stories" value="${total}" />
      <label for="reason">Why; it stands in the record with your name</label>
      <textarea id="reason" name="reason" rows="2" maxlength="2000" required></textarea>
      ${VERDICT_BUTTONS}
    </form>
  </details>`;
}

const VERDICT_BUTTONS = html`<p class="filter">
  <button type="submit" name="verdict" value="true">It mattered</button>
  <button type="submit" name="verdict" value="false">False alarm</button>
  <button type="submit" name="verdict" value="acknowledged">Seen, not yet judged</button>
</p>`;

function storyList(listed: ListedStories): Html {
  const { asking, stories, total, perPage, now } = listed;
  const live = isPlain(asking) ? html` data-live data-status="open"` : nothing;
  return html`${stories.length === 0 ? noStories(listed) : nothing}
    <ul id="alerts" class="list" ${live}>
      ${stories.map((story) => storyItem(story, now))}
    </ul>
    ${
      total <= perPage
        ? nothing
        : html`<nav class="pages" aria-label="Pages of stories">
            ${asking.page > 1 ? html`<a rel="prev" href="${addressOf(asking, { page: asking.page - 1 })}">Before</a>` : nothing}
            <span class="quiet">page ${asking.page} of ${Math.ceil(total / perPage)}</span>
            ${asking.page * perPage < total ? html`<a rel="next" href="${addressOf(asking, { page: asking.page + 1 })}">After</a>` : nothing}
          </nav>`
    }
    ${verdictForAll(listed)}`;
}

function noStories({ asking, isNew }: ListedStories): Html {
  if (!isNew)
    return html`<p id="empty" class="empty">
      ${isPlain(asking) ? 'Nothing is open.' : 'No story is like that.'}
      <a href="/?status=any">All that was told</a>,
      <a href="/?status=any&amp;all=true">and what was too minor for that</a>
    </p>`;
  return html`<div id="empty" class="empty">
    <p>No alerts. Nothing suspicious was seen yet.</p>
    <p>Try, in another terminal:</p>
    <pre>
printf '#!/bin/sh
id
' &gt; /tmp/x; chmod +x /tmp/x; /tmp/x</pre>
  </div>`;
}

const KEY_FILTERS = { node: 'node', detector: 'detector', title: 'text', status: 'status' } as const;

function groupList({ asking, groups, now }: ListedStories, by: Grouping): Html {
  if (groups.length === 0) return html`<p class="empty">No story is like that. <a href="/">Start over</a></p>`;
  return html`<ul id="alerts" class="list">
    ${groups.map(
      ({ key, stories, severity, last }) =>
        html`<li class="alert ${severity}">
          <a href="${addressOf(asking, { group: undefined, page: 1, [KEY_FILTERS[by]]: key })}">
            <span class="severity">${severity}</span
            ><strong>${by === 'status' ? (STATUS_WORDS[key] ?? key) : key}</strong>
            <span class="meta quiet"
              >${number(stories)} ${stories === 1 ? 'story' : 'stories'} · ${ago(last, now)}</span
            >
          </a>
        </li>`,
    )}
  </ul>`;
}

export function storyItem(story: TriageRow, now: number): Html {
  const { id, severity, title, reason, node, last, alerts, loss, status } = story;
  return html`<li data-id="${id}" data-status="${status}" class="alert ${severity}">
    <a href="/stories/${id}">
      <span class="severity">${severity}</span><strong>${title}</strong>
      <span class="reason">${cut(reason)}</span>
      <span class="meta quiet"
        >${status === 'open' ? nothing : html`<span class="tag">${STATUS_WORDS[status]}</span> `}${node} ·
        ${alerts > 1 ? `${number(alerts)} alerts · ` : ''}${ago(last, now)}${loss > 0 ? html` · <span class="bad">${number(loss)} events lost around it</span>` : nothing}</span
      ></a
    >
  </li>`;
}

export interface OpenedStory {
  readonly story: TriageRow;
  readonly alerts: readonly AlertRow[];
  /** Those of the story's events that are still in the evidence, oldest first. */
  readonly events: readonly LocatedRecord[];
  readonly lineage: readonly LocatedRecord[];
  readonly verdicts: readonly Verdict[];
  readonly mayJudge: boolean;
}

export function storyPage(opened: OpenedStory, now: number): Page {
  const { story, lineage, mayJudge } = opened;
  return page(
    story.title,
    '',
    html`<article class="${story.severity}">
      <p class="severity">${story.severity} <span class="tag">${STATUS_WORDS[story.status]}</span></p>
      <h1>${story.title}</h1>
      <p class="lead">${story.reason}</p>
      ${facts(story, now)} ${mayJudge ? verdictForm(story) : nothing} ${history(opened, now)} ${numbers(story.measures)}
      ${findings(story)} ${timeline(opened)} ${lineageSection(lineage, now)}
    </article>`,
  );
}

function facts(story: TriageRow, now: number): Html {
  const { node, first, last, program, session, score, findings: said, alerts, attack, loss, silencedBy } = story;
  const lasted = last > first ? html`, over ${since(first, last)}` : nothing;
  return html`<dl class="facts">
    <dt>Node</dt>
    <dd>${node}</dd>
    <dt>When</dt>
    <dd>${ago(last, now)}${lasted}</dd>
    <dt>Began with</dt>
    <dd>${program === undefined ? '—' : html`<code>${program}</code>`}</dd>
    <dt>Log-in session</dt>
    <dd>${session ?? '—'}</dd>
    <dt>Score</dt>
    <dd>
      ${number(score)}, of ${said.length} ${said.length === 1 ? 'finding' : 'findings'} in ${number(alerts)}
      ${alerts === 1 ? 'alert' : 'alerts'}
    </dd>
    <dt>ATT&amp;CK</dt>
    <dd>${attack.length === 0 ? '—' : attack.map((tag) => html`<span class="tag">${tag}</span> `)}</dd>
    <dt>Loss around it</dt>
    <dd>
      ${loss === 0 ? 'none' : html`<span class="bad">${number(loss)} events; the picture may be incomplete</span>`}
    </dd>
    <dt>Would have silenced it</dt>
    <dd>${silencedBy}</dd>
  </dl>`;
}

function verdictForm({ id, revision }: TriageRow): Html {
  return html`<form class="verdict card" method="post" action="/stories/${id}/verdict" aria-labelledby="verdict-title">
    <h2 id="verdict-title">Your verdict</h2>
    <input type="hidden" name="revision" value="${revision}" />
    <label for="reason">Why; it stands in the record with your name</label>
    <textarea id="reason" name="reason" rows="2" maxlength="2000" required></textarea>
    ${VERDICT_BUTTONS}
  </form>`;
}

function history({ story, verdicts, alerts }: OpenedStory, now: number): Html {
  if (verdicts.length === 0) return html`<p class="quiet">Nobody has given a verdict yet.</p>`;
  const rule = alerts.find(({ detector, rule: id }) => detector === 'sigma' && id !== undefined);
  return html`<section aria-labelledby="history-title">
    <h2 id="history-title">Verdicts</h2>
    <ol class="lineage" reversed>
      ${verdicts.toReversed().map(
        ({ verdict, who, reason, time, revision }) =>
          html`<li>
            <strong>${STATUS_WORDS[verdict]}</strong>, ${who}: ${reason} <span class="quiet">${ago(time, now)}</span>
            ${revision < story.revision ? html`<span class="tag warn">more was found since</span>` : nothing}
          </li>`,
      )}
    </ol>
    ${
      verdicts.at(-1)?.verdict === 'false' && rule !== undefined
        ? html`<p><a href="/alerts/${rule.id}/suggestion">The narrowest filter that would have kept it quiet</a></p>`
        : nothing
    }
  </section>`;
}

function numbers(measures: readonly Measure[]): Html {
  if (measures.length === 0) return nothing;
  return html`<section aria-labelledby="numbers-title">
    <h2 id="numbers-title">The numbers</h2>
    <table class="words">
      ${columns('What', 'Was', 'Normal')}
      <tbody>
        ${measures.map(
          ({ what, value, normal }) =>
            html`<tr>
              <th scope="row">${what}</th>
              <td data-label="Was"><strong>${number(value)}</strong></td>
              <td data-label="Normal">${rangeOf(normal)}</td>
            </tr>`,
        )}
      </tbody>
    </table>
  </section>`;
}

function rangeOf({ from, to }: Measure['normal']): string {
  if (from === undefined) return to === undefined ? '—' : `at most ${number(to)}`;
  return to === undefined ? `at least ${number(from)}` : `${number(from)} to ${number(to)}`;
}

function findings({ findings: said }: TriageRow): Html {
  return html`<section aria-labelledby="findings-title">
    <h2 id="findings-title">Findings</h2>
    <ul class="list">
      ${said
        .toSorted((a, b) => b.points - a.points)
        .map(
          ({ alert, severity, title, detector, count, points }) =>
            html`<li class="alert ${severity}">
              <a href="/alerts/${alert}"
                ><span class="severity">${severity}</span><strong>${title}</strong>
                <span class="meta quiet"
                  >${detector} · ${number(points)} points${count > 1 ? ` · ${number(count)} times` : ''}</span
                ></a
              >
            </li>`,
        )}
    </ul>
  </section>`;
}

/** What happened, in its order, and beside each event what was said of it. */
function timeline({ story, alerts, events }: OpenedStory): Html {
  const said = (record: LocatedRecord): readonly AlertRow[] =>
    alerts.filter((alert) =>
      alert.events.some(({ logIndex, line }) => logIndex === record.logIndex && line === record.line),
    );
  const missing = story.events.length - events.length;
  return html`<section aria-labelledby="timeline-title">
    <h2 id="timeline-title">Timeline</h2>
    ${events.length === 0 && missing === 0 ? html`<p class="quiet">This is about the node itself, not about an event.</p>` : nothing}
    <ul class="list events">
      ${events.map(
        (record) =>
          html`<li>
            <a href="${whereLeft(record)}"
              ><span class="name">${record.event}</span
              ><span class="what"
                >${summary(record)}${said(record).map(({ title }) => html` <span class="tag">${title}</span>`)}</span
              ><span class="meta quiet">${offset(record.time - (events[0]?.time ?? 0))}</span></a
            >
          </li>`,
      )}
    </ul>
    ${missing > 0 ? html`<p class="quiet">${number(missing)} more events are no longer in the evidence.</p>` : nothing}
  </section>`;
}

/** `+1.25 s` after the first. */
const offset = (us: number): string =>
  us < 120e6 ? `+${(us / 1e6).toFixed(us < 10e6 ? 3 : 1)} s` : `+${since(0, us)}`;

export function suggestionPage(alert: AlertRow, suggestion: Suggestion): Page {
  return page(
    'A filter',
    '',
    html`<h1>A filter for “${alert.title}”</h1>
      <p><a href="/stories/${alert.story}">Back to the story</a></p>
      ${
        'refused' in suggestion
          ? html`<p class="empty" role="status">There is none: ${suggestion.refused}.</p>`
          : html`<p class="lead">
                The narrowest that would have kept this alert quiet and hides nothing that was marked as having
                mattered, nor what the rule's own examples say must be found.
              </p>
              <pre class="card" tabindex="0" aria-label="The filter">${suggestion.filter}</pre>
              <p class="quiet">
                Put it beside the rules, then see what it would have done:
                <code>npx hushwatch detect backtest --with DIRECTORY</code>
              </p>`
      }`,
  );
}

export function recordPage(acts: readonly Act[], now: number): Page {
  return page(
    'Record',
    '/record',
    html`<h1>Record</h1>
      <p class="lead">What was changed, by whom and why. Each line was written before the change was made.</p>
      ${
        acts.length === 0
          ? html`<p class="empty">Nothing was changed yet.</p>`
          : html`<table class="words">
              ${columns('Who', 'What', 'Why', 'When')}
              <tbody>
                ${acts.map(
                  ({ who, act, reason, time }) =>
                    html`<tr>
                      <th scope="row">${who}</th>
                      <td data-label="What"><code>${act}</code></td>
                      <td data-label="Why">${reason}</td>
                      <td data-label="When">${ago(time, now)}</td>
                    </tr>`,
                )}
              </tbody>
            </table>`
      }`,
  );
}
