/** The pages: functions from what the state holds to HTML. No page holds a script or a style of its own. */
import { isAttributeName } from '#protocol/vocabulary.ts';
import type { ReleasedRecord } from '../detectors/detector.ts';
import type { AlertRow } from '../findings.ts';
import type { NodeRow } from '../state.ts';
import type { LocatedRecord } from '../view.ts';
import type { ExposureRow } from '../../redaction-rules/exposure.ts';
import { page, type Page } from './frame.ts';
import { html, nothing, type Html } from './html.ts';
import { columns } from './table.ts';
import { ago, cut, epochsInWords, number, since, summary, value } from './words.ts';

export function nodeStrip(nodes: readonly NodeRow[], now: number): Html {
  if (nodes.length === 0) return html`<p class="empty">No node is registered. Add one to <code>nodes.yaml</code>.</p>`;
  return html`<ul class="strip">
    ${nodes.map(
      (node) =>
        html`<li>
          <a href="/nodes#${node.name}"
            ><strong>${node.name}</strong> ${weakerMark(node)}
            <span class="quiet">${ago(node.lastReceived, now)}</span>
            <span>${number(node.released)} released</span
            >${node.lost > 0 ? html` <span class="bad">${number(node.lost)} lost</span>` : nothing}</a
          >
        </li>`,
    )}
  </ul>`;
}

const weakerMark = (node: NodeRow): Html =>
  node.weaker
    ? html`<span class="tag warn" title="Events come from /proc: short-lived processes, files and network are not seen"
        >weaker source</span
      >`
    : nothing;

export function nodesPage(nodes: readonly NodeRow[], now: number): Page {
  const rows = nodes.map(
    (
      node,
    ) => html`<section class="card" id="${node.name}" aria-labelledby="n-${node.name}"><h2 id="n-${node.name}">${node.name} ${weakerMark(node)}</h2>
<dl class="facts">
<dt>Last batch</dt><dd>number ${number(node.lastSequence)}, ${ago(node.lastReceived, now)}</dd>
<dt>Role, cohort</dt><dd>${node.role}, ${node.cohort}</dd>
<dt>Sources</dt><dd>${node.sources === '' ? '—' : node.sources}</dd>
<dt>Ruleset</dt><dd><code title="${node.ruleset}">${node.ruleset.slice(0, 12)}</code></dd>
<dt>Pseudonyms</dt><dd>${node.epochs === undefined ? 'no epoch named' : epochsInWords(node.epochs)}</dd>
<dt>Agent</dt><dd>${node.agentVersion}</dd></dl>
<table><caption>Every event it saw, accounted for</caption>${columns('Seen', 'Released', 'Merged', 'Sampled out', 'Withheld', 'Lost')}
<tbody><tr><td>${number(node.seen)}</td><td>${number(node.released)}</td><td>${number(node.merged)}</td><td>${number(node.sampled)}</td><td>${number(node.withheld)}</td><td${node.lost > 0 ? html` class="bad"` : nothing}>${number(node.lost)}</td></tr></tbody></table></section>`,
  );
  return page(
    'Nodes',
    '/nodes',
    html`<h1>Nodes</h1>
      ${rows.length === 0 ? nodeStrip([], now) : rows}`,
  );
}

export interface OpenedAlert {
  readonly alert: AlertRow;
  readonly events: readonly (LocatedRecord | undefined)[];
  readonly lineage: readonly LocatedRecord[];
  readonly others: readonly LocatedRecord[];
}

export function alertPage({ alert, events, lineage, others }: OpenedAlert, now: number): Page {
  return page(
    alert.title,
    '',
    html`<article class="${alert.severity}">
      <p class="severity">${alert.severity}</p>
      <h1>${alert.title}</h1>
      <p class="lead">${alert.reason}</p>
      <dl class="facts">
        <dt>Story</dt>
        <dd>
          ${alert.story === '' ? `none; suppressed by ${alert.suppressedBy ?? '?'}` : html`<a href="/stories/${alert.story}">what else belongs to it, and your verdict</a>`}
        </dd>
        <dt>Node</dt>
        <dd>${alert.node}</dd>
        <dt>When</dt>
        <dd>${ago(alert.time, now)}</dd>
        <dt>Detector</dt>
        <dd>${alert.detector}${alert.rule === undefined ? nothing : html` <code>${alert.rule}</code>`}</dd>
        <dt>ATT&amp;CK</dt>
        <dd>${alert.attack.length === 0 ? '—' : alert.attack.map((tag) => html`<span class="tag">${tag}</span> `)}</dd>
        <dt>Loss around it</dt>
        <dd>
          ${alert.loss === 0 ? 'none' : html`<span class="bad">${number(alert.loss)} events; the picture may be incomplete</span>`}
        </dd>
        <dt>Would have silenced it</dt>
        <dd>
          ${alert.silencedBy}${alert.detector === 'sigma' ? html` · <a href="/alerts/${alert.id}/suggestion">the narrowest filter</a>` : nothing}
        </dd>
      </dl>
      <section>
        <h2>Evidence</h2>
        ${events.length === 0 ? html`<p class="quiet">This alert is about the node itself, not about an event.</p>` : events.map((event) => (event === undefined ? html`<p class="quiet">An event whose body has expired; its statement is still in the log.</p>` : eventCard(event)))}
      </section>
      ${lineageSection(lineage, now)}
      <section>
        <h2>What else it did</h2>
        ${others.length === 0 ? html`<p class="quiet">Nothing else around that time.</p>` : eventList(others, now)}
      </section>
    </article>`,
  );
}

export function lineageSection(lineage: readonly LocatedRecord[], now: number): Html {
  return html`<section>
    <h2>How the process came to be</h2>
    ${
      lineage.length === 0
        ? html`<p class="quiet">No start of this process is in the evidence: it is older, or the alert names none.</p>`
        : html`<ol class="lineage">
            ${lineage.toReversed().map(
              (record) =>
                html`<li>
                  <a href="${whereLeft(record)}"><span class="name">${record.event}</span> ${summary(record)}</a>
                  <span class="quiet">${ago(record.time, now)}</span>
                </li>`,
            )}
          </ol>`
    }
  </section>`;
}

export const whereLeft = (record: LocatedRecord): string => `/left?at=${record.logIndex}.${record.line}`;

function eventCard(record: LocatedRecord): Html {
  return html`<div class="card">
    <h3><span class="name">${record.event}</span> <a href="${whereLeft(record)}">what was withheld</a></h3>
    ${attributes(record)}
  </div>`;
}

/** Attributes in the order of the vocabulary, which is the order in which one reads. */
function attributes(record: ReleasedRecord): Html {
  const rows = Object.entries(record).filter(([name]) => isAttributeName(name));
  return html`<dl class="attributes">
    ${rows.map(
      ([name, v]) =>
        html`<dt>${name}</dt>
          <dd>${cut(value(v))}</dd>`,
    )}
  </dl>`;
}

function eventList(records: readonly LocatedRecord[], now: number): Html {
  return html`<ul class="list events">
    ${records.map(
      (record) =>
        html`<li>
          <a href="${whereLeft(record)}"
            ><span class="name">${record.event}</span><span class="what">${summary(record)}</span
            ><span class="meta quiet">${record.node} · ${since(record.time, now)} ago</span></a
          >
        </li>`,
    )}
  </ul>`;
}

/** A released event beside what was withheld of it, and by which rule. */
export function leftPage(
  records: readonly LocatedRecord[],
  opened: LocatedRecord | undefined,
  exposed: readonly ExposureRow[] | undefined,
  now: number,
): Page {
  // A started program tells most; without one, the latest of whatever there is.
  const chosen = opened ?? records.find((record) => record.event === 'process.exec') ?? records[0];
  return page(
    'What left',
    '/left',
    html`<h1>What left</h1>
      <p class="lead">Beside each released event stands what its node knew and kept to itself.</p>
      ${chosen === undefined ? html`<p class="empty">Nothing has left yet. Nodes send within a second of what happens.</p>` : html`<div class="beside">${leftCard(chosen)}${withheldCard(chosen, exposed)}</div>`}
      <section>
        <h2>Recent</h2>
        ${eventList(records, now)}
      </section>`,
  );
}

function leftCard(record: LocatedRecord): Html {
  return html`<section class="card" aria-labelledby="left-title">
    <h2 id="left-title">Left the node</h2>
    <p>
      <span class="name">${record.event}</span>
      <span class="quiet"
        >${record.node}, batch at ${number(record.logIndex)} in the log, line ${number(record.line + 1)}</span
      >
    </p>
    ${attributes(record)}
  </section>`;
}

function withheldCard(record: LocatedRecord, exposed: readonly ExposureRow[] | undefined): Html {
  const rows = exposed?.filter((row) => row.event === record.event) ?? [];
  const withheld = rows.filter((row) => !row.leaves);
  const changed = rows.filter((row) => row.leaves && row.do !== 'keep' && record[row.attribute] !== undefined);
  const item = (row: ExposureRow): Html =>
    html`<dt>${row.attribute} <span class="tag">${row.sensitivity}</span></dt>
      <dd>${row.summary}. <span class="quiet">${row.why}</span></dd>`;
  return html`<section class="card" aria-labelledby="withheld-title">
    <h2 id="withheld-title">Withheld, and by which rule</h2>
    ${rows.length === 0 ? html`<p class="quiet">The ruleset of this batch is not known here.</p>` : nothing}
    ${rows.length > 0 && withheld.length === 0 ? html`<p class="quiet">Nothing whole: this kind of event has no attribute that stays behind.</p>` : nothing}
    <dl class="rules">${withheld.map(item)}</dl>
    ${
      changed.length === 0
        ? nothing
        : html`<h3>Left, but not as it was</h3>
            <dl class="rules">${changed.map(item)}</dl>`
    }
  </section>`;
}
