/** Events as a page: a question, when and what, a page of what was found as it was released, and the question as a detector. */
import { EVENTS, isAttributeName, isEventName, CLASSES } from '#protocol/vocabulary.ts';
import { LEVELS } from '../detectors/sigma/rule.ts';
import type { Saved } from '../explorer/command.ts';
import type { Found, FoundEvent } from '../explorer/search.ts';
import type { NodeRow } from '../state.ts';
import { bars, moment } from './chart.ts';
import { page, type Page } from './frame.ts';
import { html, nothing, type Html } from './html.ts';
import { cut, number, summary, value } from './words.ts';

/** As it stands in the address. `since` and `until` are spans back from now (`1h`) or moments. */
export interface EventsAsking {
  readonly query: string;
  readonly since: string;
  readonly until: string | undefined;
  readonly node: string | undefined;
  /** From 1. */
  readonly page: number;
}

export interface EventsPage {
  readonly asking: EventsAsking;
  /** Undefined with a problem. */
  readonly found: Found | undefined;
  readonly problem: string | undefined;
  readonly nodes: readonly NodeRow[];
}

const SPANS = ['10m', '1h', '6h', '1d', '7d', '30d'];

export function eventsAddress(asking: EventsAsking, change: Partial<EventsAsking> = {}, path = '/events'): string {
  const { page: at, ...rest } = { ...asking, ...change };
  const given = Object.entries({ ...rest, page: at > 1 ? String(at) : undefined });
  const asked = given.flatMap(([name, v]) => (v === undefined || v === '' ? [] : [[name, v]]));
  return `${path}?${new URLSearchParams(asked).toString()}`;
}

const iso = (us: number): string => new Date(us / 1_000).toISOString();

export function eventsPage({ asking, found, problem, nodes }: EventsPage): Page {
  return page(
    'Events',
    '/events',
    html`<h1>Events</h1>
      ${questionForm(asking, nodes)}
      ${problem === undefined ? nothing : html`<p class="problem" role="alert">${problem}</p>`}
      ${found === undefined ? nothing : results(asking, found)} ${language()}`,
  );
}

function questionForm(asking: EventsAsking, nodes: readonly NodeRow[]): Html {
  const option = (v: string, chosen: string, text = v): Html =>
    html`<option value="${v}" ${v === chosen ? html` selected` : nothing}>${text}</option>`;
  const spans = SPANS.includes(asking.since) ? SPANS : [asking.since, ...SPANS];
  return html`<form class="filter question" method="get" action="/events" role="search">
    <label for="filter">Question</label
    ><input
      id="filter"
      name="query"
      type="search"
      value="${asking.query}"
      maxlength="4000"
      placeholder="event = process.exec and process.executable.path startswith /tmp/"
      autocomplete="off"
      spellcheck="false"
      data-question
    />
    <label for="since">Since</label
    ><select id="since" name="since">
      ${spans.map((span) => option(span, asking.since, SPANS.includes(span) ? `${span} ago` : span))}
    </select>
    ${
      asking.until === undefined
        ? nothing
        : html`<label for="until">Until</label
            ><input id="until" name="until" value="${asking.until}" size="24" maxlength="24" />`
    }
    <label for="node">Node</label
    ><select id="node" name="node">
      ${option('', asking.node ?? '', 'all')}${nodes.map(({ name }) => option(name, asking.node ?? ''))}</select
    ><button type="submit">Ask</button>
  </form>`;
}

function results(asking: EventsAsking, found: Found): Html {
  // Pages are of one moment: what comes meanwhile moves nothing.
  const fixed = { ...asking, since: iso(found.sinceUs), until: iso(found.untilUs) };
  return html`<section aria-labelledby="found-title">
      <h2 id="found-title">${number(found.total)} events <span class="quiet">${span(found)}</span></h2>
      ${bars(
        found.buckets.map(({ time, events }) => ({ time, value: events })),
        {
          ...{ unit: 'events', bucketUs: found.bucketUs },
          link: ({ time }) => eventsAddress(asking, { since: iso(time), until: iso(time + found.bucketUs), page: 1 }),
        },
      )}
      ${kinds(fixed, found)}
    </section>
    <section aria-labelledby="newest-title">
      <h2 id="newest-title">Newest first${found.page > 0 ? html`, page ${number(found.page + 1)}` : nothing}</h2>
      ${found.events.length === 0 ? html`<p class="empty">No such event in this time.</p>` : eventTable(found.events)}
      ${pages(fixed, found)}
    </section>
    ${found.total === 0 || asking.query === '' ? nothing : saveForm(fixed)}`;
}

const span = ({ sinceUs, untilUs, bucketUs }: Found): string =>
  `from ${moment(sinceUs, bucketUs)} to ${moment(untilUs, bucketUs)}`;

/** Each kind narrows the question. */
function kinds(asking: EventsAsking, { kinds: found, total }: Found): Html {
  if (found.length < 2) return nothing;
  return html`<ul class="tags" aria-label="Kinds of event">
    ${found.map(({ event, events }) => {
      const query = asking.query === '' ? `event = ${event}` : `event = ${event} and (${asking.query})`;
      const share = ((events / total) * 100).toFixed(0);
      return html`<li>
        <a class="tag" href="${eventsAddress(asking, { query, page: 1 })}">${event} ${number(events)} (${share} %)</a>
      </li>`;
    })}
  </ul>`;
}

function eventTable(events: readonly FoundEvent[]): Html {
  return html`<ul class="list events">
    ${events.map(
      ({ node, logIndex, line, epoch, record }) =>
        html`<li>
          <details>
            <summary>
              <span class="name">${record.event}</span><span class="what">${summary(record)}</span
              ><span class="meta quiet">${node} · ${iso(record.time).replace('T', ' ').replace('Z', '')}</span>
            </summary>
            <dl class="attributes">
              ${Object.entries(record)
                .filter(([name]) => isAttributeName(name))
                .map(
                  ([name, v]) =>
                    html`<dt>${name}</dt>
                      <dd>${cut(value(v))}</dd>`,
                )}
            </dl>
            <p class="quiet">
              Batch at ${number(logIndex)} in the
              log${epoch === undefined ? nothing : html`, pseudonyms of epoch ${number(epoch)}`}.
              ${line === undefined ? nothing : html`<a href="/left?at=${logIndex}.${line}">What was withheld</a>`}
            </p>
          </details>
        </li>`,
    )}
  </ul>`;
}

function pages(asking: EventsAsking, { page: at, pageSize, total }: Found): Html {
  const last = Math.ceil(total / pageSize);
  if (last < 2) return nothing;
  const to = (n: number, rel: string, words: string): Html =>
    html`<a rel="${rel}" href="${eventsAddress(asking, { page: n })}">${words}</a>`;
  return html`<nav class="pages" aria-label="Pages of events">
    ${at > 0 ? to(at, 'prev', 'Newer') : nothing}
    <span class="quiet">${number(at + 1)} of ${number(last)}</span>
    ${at + 1 < last ? to(at + 2, 'next', 'Older') : nothing}
  </nav>`;
}

function saveForm({ query, since, until, node }: EventsAsking): Html {
  const hidden = (name: string, v: string | undefined): Html =>
    v === undefined ? nothing : html`<input type="hidden" name="${name}" value="${v}" />`;
  return html`<section aria-labelledby="save-title">
    <h2 id="save-title">As a detector</h2>
    <form class="filter" method="get" action="/events/detector">
      ${hidden('query', query)}${hidden('since', since)}${hidden('until', until)}${hidden('node', node)}
      <label for="title">Title</label
      ><input id="title" name="title" required maxlength="200" placeholder="What it finds, in a few words" />
      <label for="level">Level</label
      ><select id="level" name="level">
        ${LEVELS.map((each) => html`<option ${each === 'medium' ? html` selected` : nothing}>${each}</option>`)}</select
      ><button type="submit">Write the rule</button>
    </form>
    <p class="quiet">Nothing is written here: you get a Sigma rule to put into git.</p>
  </section>`;
}

export interface SavedPage {
  readonly asking: EventsAsking;
  readonly saved: Saved;
  readonly mayTry: boolean;
}

export function savedPage({ asking, saved, mayTry }: SavedPage): Page {
  const { name, rule, examples, runs } = saved;
  return page(
    'A saved search',
    '/events',
    html`<h1>A saved search</h1>
      <p class="lead">
        Put these into a pack in git, and try them there: <code>npx hushwatch detect test DIRECTORY</code>
      </p>
      <ul class="plain">
        ${runs.map(
          ({ title, runs: where, why }) =>
            html`<li>${title}: would run ${where === 'blind' ? 'nowhere' : `on the ${where}`}, ${why}.</li>`,
        )}
      </ul>
      ${
        runs.some(({ runs: where }) => where === 'node')
          ? html`<p class="quiet">
              What runs on nodes sees what does not leave; reviewers approve the pack before nodes use it. A back-test
              asks it of what left, which may match less.
            </p>`
          : nothing
      }
      <h2>${name}.yml</h2>
      <pre class="file" tabindex="0">${rule}</pre>
      <h2>tests/${name}.yaml</h2>
      <p class="quiet">Found events that it must match again. Add some that it must not.</p>
      <pre class="file" tabindex="0">${examples}</pre>
      ${
        mayTry
          ? html`<form method="post" action="/backtests">
              <input type="hidden" name="change" value="${rule}" /><input type="hidden" name="hours" value="24" />
              <input type="hidden" name="reason" value="A saved search: ${name}" />
              <button type="submit">Back-test it on the last day</button>
            </form>`
          : nothing
      }
      <p><a href="${eventsAddress(asking)}">Back to the search</a></p>`,
  );
}

/** The whole of it, where it is needed. */
function language(): Html {
  return html`<details class="language">
    <summary>The language</summary>
    <p>
      A test is <code>NAME = VALUE</code>, <code>!=</code>, <code>&lt;</code>, <code>&lt;=</code>, <code>&gt;</code>,
      <code>&gt;=</code>, <code>exists</code>, <code>in (VALUE, VALUE)</code>, <code>contains</code>,
      <code>startswith</code>, <code>endswith</code>, or <code>matches</code> a regular expression. Tests are joined by
      <code>and</code>, <code>or</code>, <code>not</code> and parentheses. A name is an attribute, <code>event</code>,
      <code>class</code> or <code>node</code>; a value with spaces or signs stands in quotes. Of a list of texts one is
      enough; what is not there makes a test false.
    </p>
    <p>Classes: ${CLASSES.map((name) => html`<code>${name}</code> `)}</p>
    <details>
      <summary>Events and their attributes</summary>
      <dl class="rules">
        ${Object.keys(EVENTS)
          .filter(isEventName)
          .map(
            (name) =>
              html`<dt>${name}</dt>
                <dd class="quiet">${EVENTS[name].attributes.join(', ')}</dd>`,
          )}
      </dl>
    </details>
  </details>`;
}
