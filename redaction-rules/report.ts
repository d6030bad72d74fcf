/**
 * `rules explain --html` and `rules diff --html`: one file to read, print, or attach to a decision. It holds no script and
 * asks nothing of the network; whatever a ruleset says is text and cannot become markup.
 */
import { ATTRIBUTES, EVENTS } from '#protocol/vocabulary.ts';
import { html, nothing, type Html } from '../collector/dashboard/html.ts';
import { CHANGES, WIDENING, type DiffRow } from './difference.ts';
import { byEvent, explainSums, users, type ExplainedRow, type SumRow } from './explain.ts';
import { spanInWords } from './exposure.ts';
import type { Ruleset } from './ruleset.ts';

export function explainReport(ruleset: Ruleset, rows: readonly ExplainedRow[]): string {
  const events = byEvent(rows);
  const leaving = rows.filter(({ leaves }) => leaves).length;
  return page(
    `What leaves: ${ruleset.name} ${ruleset.version}`,
    html`<h1>${ruleset.name} ${ruleset.version}</h1>
      ${identity(ruleset)}
      <p>
        ${leaving} of ${rows.length} attributes of ${events.size === 1 ? 'one event' : `${events.size} events`} leave in
        some form. What is struck out does not leave. Examples are made up; keys of pseudonyms are of this page alone.
      </p>
      <dl>
        <dt>time</dt>
        <dd>rounded down to ${spanInWords(ruleset.time.resolution)}. ${ruleset.time.why}</dd>
        ${[...ruleset.reasons].map(
          ([name, text]) =>
            html`<dt>${name}</dt>
              <dd>${text}</dd>`,
        )}
      </dl>
      <nav>
        ${[...events.keys()].map((event) => html`<a href="#${event}">${event}</a> `)}
        ${ruleset.sums.length === 0 ? nothing : html`<a href="#sums">sums</a>`}
      </nav>
      ${[...events].map(
        ([event, own]) =>
          html`<section>
            <h2 id="${event}">${event}</h2>
            <p>${EVENTS[event].brief}</p>
            ${notOneByOne(explainSums(ruleset, new Set([event])))}
            <table>
              <thead>
                <tr>
                  <th scope="col">attribute</th>
                  <th scope="col">what leaves</th>
                  <th scope="col">example: before, after</th>
                  <th scope="col">why</th>
                  <th scope="col">used by</th>
                </tr>
              </thead>
              <tbody>
                ${own.map(explainedRow)}
              </tbody>
            </table>
          </section>`,
      )}
      ${sumsSection(explainSums(ruleset, new Set(events.keys())))}`,
  );
}

const notOneByOne = (sums: readonly SumRow[]): Html =>
  sums.length === 0
    ? nothing
    : html`<p>Not one by one: what <a href="#sums">the sum ${sums.map(({ sum }) => sum).join(', or ')}</a> takes.</p>`;

function sumsSection(rows: readonly SumRow[]): Html {
  if (rows.length === 0) return nothing;
  return html`<section>
    <h2 id="sums">sums</h2>
    <p>Events that do not leave one by one, unless a rule on the node matches them.</p>
    <table>
      <thead>
        <tr>
          <th scope="col">sum</th>
          <th scope="col">of which events</th>
          <th scope="col">what leaves</th>
          <th scope="col">why</th>
          <th scope="col">used by</th>
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          ({ sum, events, where, unless, summary, example, why, for: purposes }) =>
            html`<tr>
              <th scope="row"><code>${sum}</code></th>
              <td>
                ${events.join(', ')}${where.map((condition) => html`<br />whose ${condition}`)}${unless.map(
                  (condition) => html`<br />not if ${condition}`,
                )}
              </td>
              <td>${summary}<br />${becomes(example.in, example.out)}</td>
              <td>${why}</td>
              <td>${purposes.join(', ')}</td>
            </tr> `,
        )}
      </tbody>
    </table>
  </section>`;
}

const identity = ({ role, digest }: Ruleset): Html =>
  html`<p>for role ${role}, sha256 <code class="long">${digest}</code></p>`;

function explainedRow(row: ExplainedRow): Html {
  const { attribute, sensitivity, leaves, summary, example, why, reason } = row;
  const files = [...row.readOnNode, ...row.readOnCollector];
  const name = html`<code>${attribute}</code>`;
  return html`<tr class="${leaves ? 'leaves' : 'withheld'}">
    <th scope="row">
      ${leaves ? name : html`<s>${name}</s>`}<br /><span class="tag ${sensitivity}">${sensitivity}</span>
    </th>
    <td>${summary}</td>
    <td>${leaves ? becomes(example.in, example.out) : html`<s><code>${text(example.in)}</code></s>`}</td>
    <td>${why}${reason === undefined ? nothing : html` <em>(${reason})</em>`}</td>
    <td title="${files.join(', ')}">${users(row)}</td>
  </tr> `;
}

/** What a change of rules means; the changes that somebody has to argue for come first and are marked. */
export function diffReport(before: Ruleset, after: Ruleset, rows: readonly DiffRow[]): string {
  const changes = CHANGES.map((change) => ({ change, own: rows.filter((row) => row.change === change) }));
  return page(
    `What changes: ${before.name} ${before.version} to ${after.name} ${after.version}`,
    html`<h1>${before.name} ${before.version} → ${after.name} ${after.version}</h1>
      <h2>Before</h2>
      ${identity(before)}
      <h2>After</h2>
      ${identity(after)} ${rows.length === 0 ? html`<p>No difference in what leaves.</p>` : nothing}
      ${changes
        .filter(({ own }) => own.length > 0)
        .map(
          ({ change, own }) =>
            html`<section class="${WIDENING.has(change) ? 'widening' : 'narrowing'}">
              <h2>${change}</h2>
              <table>
                <thead>
                  <tr>
                    <th scope="col">attribute</th>
                    <th scope="col">what is different</th>
                    <th scope="col">example</th>
                    <th scope="col">before</th>
                    <th scope="col">after</th>
                  </tr>
                </thead>
                <tbody>
                  ${own.map(diffRow)}
                </tbody>
              </table>
            </section>`,
        )}`,
  );
}

function diffRow({ attribute, events, what, example }: DiffRow): Html {
  const { sensitivity } = ATTRIBUTES[attribute];
  return html`<tr>
    <th scope="row">
      <code>${attribute}</code><br /><span class="tag ${sensitivity}">${sensitivity}</span>
      <span class="events">${events.join(', ')}</span>
    </th>
    <td>${what}</td>
    <td><code>${text(example.in)}</code></td>
    <td>${outcome(example.before)}</td>
    <td>${outcome(example.after)}</td>
  </tr> `;
}

const outcome = (value: unknown): Html =>
  value === undefined ? html`<em>nothing</em>` : html`<code>${text(value)}</code>`;

function becomes(before: unknown, after: unknown): Html {
  if (text(before) === text(after)) return html`<code>${text(before)}</code>, unchanged`;
  return html`<code>${text(before)}</code><br />${outcome(after)}`;
}

const text = (value: unknown): string => (Array.isArray(value) ? value.join(' ') : String(value));

export function page(title: string, body: Html): string {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'" />
        <title>${title}</title>
        <style>
          :root {
            color-scheme: light dark;
            --ink: light-dark(#1a1c20, #e6e6e3);
            --soft: light-dark(#5b6068, #a2a6ad);
            --line: light-dark(#d5d8dc, #3a3e45);
            --paper: light-dark(#ffffff, #16181b);
            --mark: light-dark(#a32a12, #ff9d85);
          }
          body {
            margin: 2rem auto;
            padding: 0 1rem;
            max-width: 76rem;
            background: var(--paper);
            color: var(--ink);
            font:
              15px/1.45 system-ui,
              sans-serif;
          }
          h1 {
            font-size: 1.6rem;
            margin: 0 0 0.2rem;
          }
          h2 {
            font-size: 1.1rem;
            margin: 2rem 0 0.2rem;
          }
          p,
          dl {
            margin: 0.4rem 0;
          }
          dt {
            font-weight: 600;
          }
          dd {
            margin: 0 0 0.4rem 1rem;
            color: var(--soft);
          }
          a {
            color: inherit;
          }
          nav {
            font-size: 0.85em;
          }
          table {
            width: 100%;
            border-collapse: collapse;
            table-layout: fixed;
            font-size: 0.88em;
          }
          th,
          td {
            text-align: left;
            vertical-align: top;
            font-weight: normal;
            padding: 0.35rem 0.6rem 0.35rem 0;
            border-top: 1px solid var(--line);
            overflow-wrap: anywhere;
          }
          thead th {
            border-top: 0;
            color: var(--soft);
          }
          code {
            font:
              0.93em ui-monospace,
              monospace;
          }
          .long {
            overflow-wrap: anywhere;
          }
          .tag,
          .events {
            font-size: 0.82em;
            color: var(--soft);
          }
          .events {
            display: block;
          }
          .withheld {
            color: var(--soft);
          }
          .widening h2 {
            color: var(--mark);
          }
          .secret,
          .end-user,
          .operator-identity,
          .network-identity,
          .canister-data {
            color: var(--mark);
          }
          @media print {
            :root {
              color-scheme: light;
            }
            body {
              margin: 0;
              max-width: none;
              font-size: 9pt;
            }
            nav {
              display: none;
            }
            thead {
              display: table-header-group;
            }
            tr,
            h2 {
              break-inside: avoid;
            }
            h2 {
              break-after: avoid;
            }
          }
        </style>
      </head>
      <body>
        ${body}
      </body>
    </html> `.text;
}
