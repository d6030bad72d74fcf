/** The pages for a privacy reviewer: what may leave each node, who said yes to it with which proof, and whether it holds. */
import { NO_RULES } from '#protocol/statement.ts';
import { ATTRIBUTES, EVENTS } from '#protocol/vocabulary.ts';
import { CHANGES, WIDENING, type DiffRow } from '../../redaction-rules/difference.ts';
import { byEvent, explainSums, users, type ExplainedRow, type SumRow } from '../../redaction-rules/explain.ts';
import { spanInWords } from '../../redaction-rules/exposure.ts';
import type { Ruleset } from '../../redaction-rules/ruleset.ts';
import type { CanaryStatus } from '../detectors/canary.ts';
import type { Differences, Explained, PrivacyView } from '../privacy-view.ts';
import type { ApprovalRow, NodeRow, RulesInForce } from '../state.ts';
import { html, nothing, type Html } from './html.ts';
import { columns } from './table.ts';
import { page, type Page } from './frame.ts';
import { ago, cut, number, since, value } from './words.ts';

const PATH = '/privacy';
/** Agents try every ten minutes; the detector alerts later than this page frowns. */
const CANARY_LATE_US = 25 * 60e6;

export interface ShownApproval {
  readonly row: ApprovalRow;
  /** The signed note, as text. */
  readonly note: string;
}

export interface PrivacyPage {
  readonly nodes: readonly NodeRow[];
  readonly privacy: PrivacyView;
  readonly approvals: readonly ShownApproval[];
  readonly now: number;
}

/** Asked once for all nodes. */
interface Facts {
  readonly now: number;
  readonly inForce: readonly RulesInForce[];
  readonly approvals: readonly ApprovalRow[];
  readonly canaries: ReadonlyMap<string, CanaryStatus>;
  readonly holds: (digest: string) => boolean;
}

export function privacyPage({ nodes, privacy, approvals, now }: PrivacyPage): Page {
  const newest = approvals.toReversed();
  const facts: Facts = {
    ...{ now, inForce: privacy.inForce(), approvals: privacy.approvals(), canaries: privacy.canaries() },
    holds: (digest) => privacy.holds(digest),
  };
  return page(
    'Privacy',
    PATH,
    html`<h1>Privacy</h1>
      <p class="lead">What may leave each node, who said yes to it, and whether it holds.</p>
      <section aria-labelledby="force-title">
        <h2 id="force-title">Rules in force</h2>
        ${nodes.length === 0 ? html`<p class="empty">No node is registered.</p>` : nodes.map((node) => nodeCard(node, facts))}
      </section>
      <section aria-labelledby="differences-title">
        <h2 id="differences-title">The last differences</h2>
        ${lastDifferences(privacy)}
      </section>
      <section aria-labelledby="approvals-title">
        <h2 id="approvals-title">Approvals</h2>
        ${
          newest.length === 0
            ? html`<p class="empty">
                Nobody has approved any rules here yet, so nodes release nothing.
                <code>npx hushwatch rules approve</code>
              </p>`
            : html`<p class="quiet">
                  Rules count once enough reviewers have signed a note about them and the note stands in the log. Note
                  and proof are all that a stranger needs to check it: <code>npx hushwatch rules verify</code>
                </p>
                ${newest.map(approvalCard)}`
        }
      </section>`,
  );
}

function nodeCard(node: NodeRow, facts: Facts): Html {
  const own = facts.inForce.filter((each) => each.node === node.name);
  return html`<section class="card" aria-labelledby="p-${node.name}">
    <h3 id="p-${node.name}">${node.name} <span class="quiet">${node.role}, ${node.cohort}</span></h3>
    <dl class="facts">
      ${
        own.length === 0
          ? html`<dt>Rules</dt>
              <dd>It has not sent anything yet.</dd>`
          : own.toReversed().map((each) => rulesOf(each, facts))
      }
      <dt>Canaries</dt>
      <dd>${canaryWords(facts.canaries.get(node.name), facts.now)}</dd>
    </dl>
  </section>`;
}

const KIND_WORDS = { ruleset: 'Ruleset', rulepack: 'Rules on the node' } as const;

function rulesOf({ kind, digest, since: began }: RulesInForce, { now, approvals, holds }: Facts): Html {
  const term = html`<dt>${KIND_WORDS[kind]}</dt>`;
  const how = html`<span class="quiet">for ${since(began, now)}</span>`;
  if (digest === NO_RULES)
    return html`${term}
      <dd><span class="bad">none: everything is counted and nothing leaves</span>, ${how}</dd>`;
  const approval = approvals.findLast((row) => row.kind === kind && row.digest === digest);
  const name = approval === undefined ? 'not approved here' : `${approval.name} ${approval.version}`;
  const link = holds(digest) ? html`<a href="${exposurePath(digest)}">${name}</a>` : html`${name}`;
  return html`${term}
    <dd>
      ${link} <code title="${digest}">${digest.slice(0, 12)}</code>,
      ${how}${
        approval === undefined
          ? nothing
          : html`, approved by ${approval.signers.join(', ')} (<a href="#approval-${approval.logIndex}"
                >entry ${number(approval.logIndex)} of the log</a
              >)`
      }
    </dd>`;
}

const exposurePath = (digest: string, event?: string): string =>
  `${PATH}/rules/${digest}${event === undefined ? '' : `?event=${event}`}`;

function canaryWords(status: CanaryStatus | undefined, now: number): Html {
  if (status === undefined) return html`<span class="quiet">nothing was heard of them yet</span>`;
  const { at, tried, leaked, leaks } = status;
  const when = now - at > CANARY_LATE_US ? html`<span class="bad">${ago(at, now)}</span>` : ago(at, now);
  if (tried === undefined || leaked === undefined) return html`the ruleset keeps the numbers back, ${when}`;
  if (leaked > 0)
    return html`<span class="bad">${number(leaked)} of ${number(tried)} came out</span> ${leaks.join(', ')}, ${when}`;
  return html`none of ${number(tried)} made-up secrets came out of its redaction, ${when}`;
}

/** The newest two approved versions of each ruleset, where this collector holds both. */
function lastDifferences(privacy: PrivacyView): Html {
  const found = pairsOf(privacy.approvals()).flatMap(
    ([before, after]) => privacy.differences(before.digest, after.digest) ?? [],
  );
  if (found.length === 0)
    return html`<p class="quiet">No ruleset has been approved in two versions that are both held here.</p>`;
  return html`${found.map(
    (each) =>
      html`<div class="card">
        <h3>${titleOf(each)}</h3>
        <p>${each.rows.length === 0 ? 'No difference in what leaves.' : summaryOf(each.rows)}</p>
        <p>
          <a href="${PATH}/differences/${each.before.digest}/${each.after.digest}"
            >In words, with values before and after</a
          >
        </p>
      </div>`,
  )}`;
}

function pairsOf(approvals: readonly ApprovalRow[]): readonly (readonly [ApprovalRow, ApprovalRow])[] {
  const names = new Set(approvals.filter(({ kind }) => kind === 'ruleset').map(({ name }) => name));
  return [...names].flatMap((name) => {
    const own = approvals.filter((row) => row.kind === 'ruleset' && row.name === name);
    const distinct = own.filter((row, at) => own.findLastIndex(({ digest }) => digest === row.digest) === at);
    const [before, after] = distinct.slice(-2);
    return before === undefined || after === undefined ? [] : [[before, after] as const];
  });
}

const named = ({ name, version }: Ruleset): string => `${name} ${version}`;
const titleOf = ({ before, after }: Differences): string => `${named(before)} → ${named(after)}`;

function summaryOf(rows: readonly DiffRow[]): Html {
  const counts = CHANGES.map((change) => ({ change, count: rows.filter((row) => row.change === change).length }));
  return html`${counts
    .filter(({ count }) => count > 0)
    .map(
      ({ change, count }) =>
        html`<span class="tag ${WIDENING.has(change) ? 'warn' : ''}">${change}: ${number(count)}</span> `,
    )}`;
}

function approvalCard({ row, note }: ShownApproval): Html {
  const { logIndex, kind, name, version, role, digest, signers } = row;
  const files = `${PATH}/approvals/${logIndex}`;
  return html`<details class="card" id="approval-${logIndex}">
    <summary>
      <strong>${name} ${version}</strong> ${KIND_WORDS[kind].toLowerCase()}, role ${role}, signed by
      ${signers.join(', ')}
      <span class="quiet">entry ${number(logIndex)} of the log</span>
    </summary>
    <p>
      <a href="${files}/${digest}.approval" download>The signed note</a> ·
      <a href="${files}/${digest}.tlog-proof" download>The proof that it stands in the log</a>
    </p>
    <pre>${note}</pre>
    <p class="quiet">To check both with public keys alone, on any machine:</p>
    <pre>
npx hushwatch rules verify ${digest}.approval --proof ${digest}.tlog-proof --reviewers reviewers --log log.pub</pre>
  </details>`;
}

/** What a ruleset lets out, one event at a time: all of them at once would be a page of megabytes. */
export function exposurePage({ ruleset, rows }: Explained, asked: string): Page {
  const events = byEvent(rows);
  const [chosen, own] = [...events].find(([event]) => event === asked) ?? [...events][0] ?? [];
  const leaving = rows.filter(({ leaves }) => leaves).length;
  const { digest, role, time, reasons } = ruleset;
  return page(
    `What leaves: ${named(ruleset)}`,
    PATH,
    html`<p><a href="${PATH}">Privacy</a></p>
      <h1>${named(ruleset)}</h1>
      <p>for role ${role}, sha256 <code>${digest}</code></p>
      <p>
        ${number(leaving)} of ${number(rows.length)} attributes of ${number(events.size)} events leave in some form.
        What is struck out does not. Examples are made up; their pseudonyms are made with keys of this page alone.
      </p>
      <details>
        <summary>The time of events, and the arguments for what stays readable</summary>
        <dl class="rules">
          <dt>time</dt>
          <dd>rounded down to ${spanInWords(time.resolution)}. ${time.why}</dd>
          ${[...reasons].map(
            ([name, text]) =>
              html`<dt>${name}</dt>
                <dd>${text}</dd>`,
          )}
        </dl>
      </details>
      <form class="filter" method="get" action="${exposurePath(digest)}">
        <label for="event">Event</label
        ><select id="event" name="event">
          ${[...events].map(([event, all]) => eventOption(event, all, event === chosen))}</select
        ><button type="submit">Show</button>
      </form>
      ${chosen === undefined || own === undefined ? nothing : exposureTable(chosen, own)}
      ${sumsTable(explainSums(ruleset, new Set(chosen === undefined ? [] : [chosen])))}`,
  );
}

function eventOption(event: string, rows: readonly ExplainedRow[], isChosen: boolean): Html {
  const leaving = rows.filter(({ leaves }) => leaves).length;
  return html`<option value="${event}" ${isChosen ? html` selected` : nothing}>
    ${event} (${leaving} of ${rows.length} leave)
  </option>`;
}

function exposureTable(event: keyof typeof EVENTS, rows: readonly ExplainedRow[]): Html {
  return html`<table class="words">
    <caption>
      ${event}: ${EVENTS[event].brief}
    </caption>
    ${columns('Attribute', 'What leaves', 'Example: before, after', 'Why', 'Used by')}
    <tbody>
      ${rows.map(exposureRow)}
    </tbody>
  </table>`;
}

/** Of the events of a kind, those that do not leave one by one. */
function sumsTable(rows: readonly SumRow[]): Html {
  if (rows.length === 0) return nothing;
  return html`<table class="words">
    <caption>
      Of these, what does not leave one by one, unless a rule on the node matches it
    </caption>
    ${columns('Sum', 'Of which events', 'What leaves', 'Why')}
    <tbody>
      ${rows.map(
        ({ sum, where, unless, summary, why }) =>
          html`<tr>
            <th scope="row"><code>${sum}</code></th>
            <td data-label="Of which events">
              ${[...where.map((one) => `whose ${one}`), ...unless.map((one) => `not if ${one}`)].join('; ')}
            </td>
            <td data-label="What leaves">${summary}</td>
            <td data-label="Why">${why}</td>
          </tr>`,
      )}
    </tbody>
  </table>`;
}

function exposureRow(row: ExplainedRow): Html {
  const { attribute, sensitivity, leaves, example, why, reason } = row;
  const before = html`<code>${cut(value(example.in))}</code>`;
  return html`<tr>
    <th scope="row">
      <code>${leaves ? attribute : html`<s>${attribute}</s>`}</code> <span class="tag">${sensitivity}</span>
    </th>
    <td data-label="What leaves">${row.summary}</td>
    <td data-label="Example">${leaves ? html`${before} → ${outcome(example.out)}` : html`<s>${before}</s>`}</td>
    <td data-label="Why">${why}${reason === undefined ? nothing : html` <em>(${reason})</em>`}</td>
    <td data-label="Used by">${users(row) || '—'}</td>
  </tr>`;
}

const outcome = (v: unknown): Html => (v === undefined ? html`<em>nothing</em>` : html`<code>${cut(value(v))}</code>`);

export function differencesPage(found: Differences): Page {
  const groups = CHANGES.map((change) => ({ change, own: found.rows.filter((row) => row.change === change) }));
  return page(
    titleOf(found),
    PATH,
    html`<p><a href="${PATH}">Privacy</a></p>
      <h1>${titleOf(found)}</h1>
      <p>
        From <a href="${exposurePath(found.before.digest)}"><code>${found.before.digest.slice(0, 12)}</code></a> to
        <a href="${exposurePath(found.after.digest)}"><code>${found.after.digest.slice(0, 12)}</code></a
        >, the worst first.
      </p>
      ${found.rows.length === 0 ? html`<p class="empty">No difference in what leaves.</p>` : nothing}
      ${groups
        .filter(({ own }) => own.length > 0)
        .map(
          ({ change, own }) =>
            html`<table class="words">
              <caption class="${WIDENING.has(change) ? 'bad' : ''}">
                ${change}
              </caption>
              ${columns('Attribute', 'What is different', 'Example', 'Before', 'After')}
              <tbody>
                ${own.map(differenceRow)}
              </tbody>
            </table>`,
        )}`,
  );
}

function differenceRow({ attribute, events, what, example }: DiffRow): Html {
  const where = events.length > 3 ? `${events.length} events` : events.join(', ');
  return html`<tr>
    <th scope="row">
      <code>${attribute}</code> <span class="tag">${ATTRIBUTES[attribute].sensitivity}</span>
      <span class="quiet" title="${events.join(', ')}">${where}</span>
    </th>
    <td data-label="What is different">${what}</td>
    <td data-label="Example"><code>${cut(value(example.in))}</code></td>
    <td data-label="Before">${outcome(example.before)}</td>
    <td data-label="After">${outcome(example.after)}</td>
  </tr>`;
}
