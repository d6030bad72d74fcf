/** Detectors as pages: which are loud, one with all that is known of it, and what a change of it would have done. */
import { stringify } from 'yaml';
import { VERDICTS } from '../findings.ts';
import type { DetectorReport, DetectorRow, KnobValue, Share } from '../tuning/detector-report.ts';
import { bars } from './chart.ts';
import { page, type Page } from './frame.ts';
import { html, nothing, type Html } from './html.ts';
import { columns } from './table.ts';
import { ago, cut, number } from './words.ts';

const SPANS: readonly (readonly [number, string])[] = [
  [24, 'day'],
  [168, 'week'],
  [720, 'month'],
];

const percent = (share: number): string => (share > 0 && share < 0.01 ? '< 1 %' : `${(share * 100).toFixed(0)} %`);

export interface DetectorsPage {
  readonly rows: readonly DetectorRow[];
  readonly hours: number;
  readonly now: number;
}

export function detectorsPage({ rows, hours, now }: DetectorsPage): Page {
  const loud = rows.filter(({ alerts }) => alerts > 0);
  const quiet = rows.filter(({ alerts }) => alerts === 0);
  return page(
    'Detectors',
    '/detectors',
    html`<h1>Detectors</h1>
      <p class="lead">What each says, how often, and what share of all that is said is its own.</p>
      ${spanForm('/detectors', hours)}
      <p class="filter">
        <label for="filter">Filter</label
        ><input id="filter" type="search" placeholder="title, technique, level" autocomplete="off" />
      </p>
      ${loud.length === 0 ? html`<p class="empty">Nothing was said in this time.</p>` : nothing}
      <ul class="list detectors">
        ${loud.map((row) => rowItem(row, hours, now))}${quiet.map((row) => rowItem(row, hours, now))}
      </ul>`,
  );
}

const address = (id: string, hours: number, more = ''): string =>
  `/detectors/${id}?hours=${hours}${more === '' ? '' : `&${more}`}`;

function rowItem(
  { id, kind, title, level, attack, alerts, suppressed, share, last }: DetectorRow,
  hours: number,
  now: number,
): Html {
  return html`<li>
    <a href="${address(id, hours)}"
      ><span class="count">${number(alerts)}</span
      ><span
        ><strong>${title}</strong>
        <span class="quiet">${kind}, ${level}${attack.length === 0 ? '' : ` · ${attack.join(', ')}`}</span></span
      ><span class="meta quiet"
        >${alerts === 0 ? 'quiet' : html`${percent(share)} of all · ${ago(last, now)}`}${suppressed === 0 ? nothing : html` · ${number(suppressed)} suppressed`}</span
      ></a
    >
  </li>`;
}

const spanOptions = (hours: number): readonly Html[] =>
  SPANS.map(([n, words]) => html`<option value="${n}" ${n === hours ? html` selected` : nothing}>${words}</option>`);

function spanForm(action: string, hours: number): Html {
  return html`<form class="filter" method="get" action="${action}">
    <label for="hours">Of the last</label
    ><select id="hours" name="hours">
      ${spanOptions(hours)}</select
    ><button type="submit">Show</button>
  </form>`;
}

/** What the text to try begins with. */
export const STARTS = ['knobs', 'filter', 'suppression', 'rule'] as const;
export type Start = (typeof STARTS)[number];

export interface DetectorPage {
  readonly report: DetectorReport;
  readonly hours: number;
  readonly now: number;
  readonly mayTry: boolean;
  readonly start: Start | undefined;
  /** For documents that begin here. */
  readonly newId: string;
}

export function detectorPage(options: DetectorPage): Page {
  const { report, hours, now } = options;
  const { title, says, why, alerts, perDay, share, suppressed } = report;
  return page(
    title,
    '/detectors',
    html`<article>
      <p class="quiet"><a href="/detectors?hours=${hours}">Detectors</a></p>
      <h1>${title}</h1>
      <p class="lead">${says === title ? nothing : html`${says} `}${why}</p>
      ${factsOf(report)}
      <section aria-labelledby="volume-title">
        <h2 id="volume-title">
          ${number(alerts)} ${alerts === 1 ? 'alert' : 'alerts'}
          <span class="quiet"
            >${perDay.toFixed(1)} a day, ${percent(share)} of all that was
            said${suppressed === 0 ? nothing : html`, ${number(suppressed)} suppressed`}</span
          >
        </h2>
        ${spanForm(`/detectors/${report.id}`, hours)}
        ${bars(
          report.volume.map(({ time, alerts: value, suppressed: part }) => ({ time, value, part })),
          { unit: 'alerts', partName: 'suppressed', bucketUs: report.bucketUs },
        )}
      </section>
      ${noiseOf(report)} ${knobsOf(report)} ${suppressionsOf(report, now)} ${verdictsOf(report, now)}
      ${tryForm(options)} ${latestOf(report, now)} ${ruleText(report)}
    </article>`,
  );
}

function factsOf({ kind, level, attack, runs, harmless, file, id }: DetectorReport): Html {
  const fact = (name: string, words: Html | string | undefined): Html =>
    words === undefined || words === ''
      ? nothing
      : html`<dt>${name}</dt>
          <dd>${words}</dd>`;
  return html`<dl class="facts">
    ${fact('Kind', html`${kind} <code>${id}</code>`)} ${fact('Level', level)}
    ${fact('ATT&CK', attack.length === 0 ? undefined : html`${attack.map((tag) => html`<span class="tag">${tag}</span> `)}`)}
    ${fact('Runs', runs === undefined ? undefined : `${runs.where === 'blind' ? 'nowhere' : `on the ${runs.where}`}: ${runs.why}`)}
    ${fact('Harmless causes', harmless.join('; '))}
    ${fact('File', file === undefined ? undefined : html`<code>${file.path}:${file.line}</code>`)}
  </dl>`;
}

function noiseOf({ nodes, deeds, rules, alerts }: DetectorReport): Html {
  if (alerts === 0) return nothing;
  return html`<section aria-labelledby="noise-title">
    <h2 id="noise-title">About whom</h2>
    ${shares('Nodes', nodes)}
    ${shares('What it was about; … stands for names that were replaced, and for numbers', deeds)}
    ${shares('What of it spoke', rules)}
  </section>`;
}

function shares(caption: string, all: readonly Share[]): Html {
  if (all.length === 0) return nothing;
  return html`<table class="words shares">
    <caption>
      ${caption}
    </caption>
    ${columns('Share', 'Alerts', 'What')}
    <tbody>
      ${all.map(
        ({ name, alerts, share }) =>
          html`<tr>
            <td data-label="Share">${percent(share)}</td>
            <td data-label="Alerts">${number(alerts)}</td>
            <td data-label="What">${name === undefined ? html`<span class="quiet">not known</span>` : cut(name)}</td>
          </tr>`,
      )}
    </tbody>
  </table>`;
}

function knobsOf({ knobs, knobsFile }: DetectorReport): Html {
  if (knobs.length === 0) return nothing;
  return html`<section aria-labelledby="knobs-title">
    <h2 id="knobs-title">Knobs <span class="quiet">set in ${knobsFile}</span></h2>
    <table class="words knobs">
      ${columns('Knob', 'Now', 'Default', 'Range', 'What it does')}
      <tbody>
        ${knobs.map(
          ({ name, says, value, fallback, least, most, more }) =>
            html`<tr>
              <th scope="row"><code>${name}</code></th>
              <td data-label="Now">${value === fallback ? number(value) : html`<strong>${number(value)}</strong>`}</td>
              <td data-label="Default">${number(fallback)}</td>
              <td data-label="Range">${number(least)} to ${number(most)}</td>
              <td data-label="What it does">
                ${says}${more === 'other' ? nothing : html` <span class="quiet">More is ${more}.</span>`}
              </td>
            </tr>`,
        )}
      </tbody>
    </table>
  </section>`;
}

function suppressionsOf({ suppressions, suppressionsFile }: DetectorReport, now: number): Html {
  return html`<section aria-labelledby="suppressions-title">
    <h2 id="suppressions-title">Suppressions <span class="quiet">in ${suppressionsFile}</span></h2>
    ${
      suppressions.length === 0
        ? html`<p class="quiet">None.</p>`
        : html`<table class="words">
            ${columns('Name', 'Owner', 'Ends', 'Of', 'Why')}
            <tbody>
              ${suppressions.map(({ id, owner, reason, expires, isInForce, node, program }) => {
                const day = new Date(expires / 1_000).toISOString().slice(0, 10);
                const days = Math.ceil((expires - now) / 86_400e6);
                return html`<tr>
                  <th scope="row">${id}</th>
                  <td data-label="Owner">${owner}</td>
                  <td data-label="Ends">
                    ${day}
                    ${isInForce ? html`<span class="quiet">in ${number(days)} d</span>` : html`<span class="bad">ended</span>`}
                  </td>
                  <td data-label="Of">${[node ?? 'all nodes', program ?? ''].filter(Boolean).join(', ')}</td>
                  <td data-label="Why">${reason}</td>
                </tr>`;
              })}
            </tbody>
          </table>`
    }
  </section>`;
}

const SAID: Readonly<Record<(typeof VERDICTS)[number], string>> = {
  true: 'mattered',
  false: 'false alarm',
  acknowledged: 'seen',
};

function verdictsOf({ marked, verdicts }: DetectorReport, now: number): Html {
  return html`<section aria-labelledby="verdicts-title">
    <h2 id="verdicts-title">Verdicts</h2>
    ${
      verdicts.length === 0
        ? html`<p class="quiet">Nobody has said anything of its stories yet.</p>`
        : html`<p>
              ${VERDICTS.map((each) => html`${number(marked[each])} ${SAID[each]} <span class="quiet">·</span> `)}
            </p>
            <ul class="plain">
              ${verdicts.map(
                ({ who, verdict, reason, story, time }) =>
                  html`<li>
                    <a href="/stories/${story}">${SAID[verdict]}</a>, ${who}
                    <span class="quiet">${ago(time, now)}</span>: ${cut(reason)}
                  </li>`,
              )}
            </ul>`
    }
  </section>`;
}

const START_WORDS: Readonly<Record<Start, string>> = {
  ...{ knobs: 'other knobs', filter: 'a filter', suppression: 'a suppression', rule: 'another rule' },
};

/** Begins with what is in force, so that one turns one thing. */
function tryForm({ report, hours, mayTry, start, newId, now }: DetectorPage): Html {
  if (!mayTry) return nothing;
  const starts = startsOf(report);
  const chosen = start !== undefined && starts.includes(start) ? start : (starts[0] ?? 'suppression');
  return html`<section id="try" aria-labelledby="try-title">
    <h2 id="try-title">What if</h2>
    <p>
      Start from
      ${starts.map((each) => (each === chosen ? html`<strong>${START_WORDS[each]}</strong> ` : html`<a href="${address(report.id, hours, `start=${each}`)}#try">${START_WORDS[each]}</a> `))}
    </p>
    <form method="post" action="/backtests" class="trial">
      <input type="hidden" name="detector" value="${report.id}" />
      <label for="change">The change, as it would stand in git</label
      ><textarea id="change" name="change" rows="14" spellcheck="false" required maxlength="32768">
${startText(report, chosen, newId, now)}</textarea>
      <p class="filter">
        <label for="back">Of the last</label
        ><select id="back" name="hours">
          ${spanOptions(hours)}
        </select>
        <label for="reason">Why</label
        ><input id="reason" name="reason" required maxlength="2000" placeholder="For the record" />
        <button type="submit">Back-test</button>
      </p>
      <p class="quiet">
        Runs what is in force and the change over the evidence, from its beginning, beside the collector. Nothing is
        written: what helps, you put into git.
      </p>
    </form>
  </section>`;
}

function startsOf({ kind, knobs }: DetectorReport): readonly Start[] {
  if (kind === 'rule') return ['filter', 'rule', 'suppression'];
  if (kind === 'correlation') return ['rule', 'suppression'];
  return knobs.length > 0 && kind === 'baseline' ? ['knobs', 'suppression'] : ['suppression'];
}

const DAY_US = 86_400e6;

function startText(report: DetectorReport, start: Start, newId: string, now: number): string {
  const { id, title, kind, file, knobs } = report;
  if (start === 'knobs') return knobsText(id, knobs);
  if (start === 'rule') return file?.text ?? '';
  if (start === 'filter') return filterText(report, newId);
  const expires = new Date((now + 30 * DAY_US) / 1_000).toISOString().slice(0, 10);
  const of = kind === 'rule' || kind === 'correlation' ? { rule: id } : { detector: id };
  const node = report.nodes[0]?.name;
  const reason = `${title}: say why nobody needs to be told.`;
  return stringify({
    suppressions: [
      { id: 'a-name-for-it', owner: 'who answers for it', reason, expires, ...of, ...(node ? { node } : {}) },
    ],
  });
}

const knobsText = (id: string, knobs: readonly KnobValue[]): string =>
  stringify({ detectors: { [id]: Object.fromEntries(knobs.map(({ name, value }) => [name, value])) } });

/** The log source is the rule's own: what the filter asks for, too. */
function filterText({ id, title, file }: DetectorReport, newId: string): string {
  const logsource = /^logsource:(?: *\{[^}]*\}| *\n(?:[ \t]+[^\n]*\n?)+)/m.exec(file?.text ?? '')?.[0].trimEnd();
  return `title: ${JSON.stringify(`Not: ${title}`)}
id: ${newId}
description: Say here what is harmless.
${logsource ?? 'logsource: { product: linux }'}
filter:
  rules: [${id}]
  selection:
    process.parent.executable.path: /usr/bin/make
  condition: not selection
`;
}

function latestOf({ latest }: DetectorReport, now: number): Html {
  if (latest.length === 0) return nothing;
  return html`<section aria-labelledby="latest-title">
    <h2 id="latest-title">The last it said</h2>
    <ul class="list">
      ${latest.map(
        ({ id, severity, reason, node, time, suppressedBy }) =>
          html`<li class="alert ${severity}">
            <a href="/alerts/${id}"
              ><span class="severity">${severity}</span><span>${cut(reason)}</span
              ><span class="meta quiet"
                >${node} ·
                ${ago(time, now)}${suppressedBy === undefined ? nothing : html` · suppressed by ${suppressedBy}`}</span
              ></a
            >
          </li>`,
      )}
    </ul>
  </section>`;
}

function ruleText({ file }: DetectorReport): Html {
  if (file === undefined) return nothing;
  return html`<section aria-labelledby="rule-title">
    <h2 id="rule-title">The rule <span class="quiet">${file.path}</span></h2>
    <pre class="file" tabindex="0">${file.text}</pre>
  </section>`;
}
