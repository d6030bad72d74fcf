/** A back-test as a page: how far it is, then before and after, and what was gained, lost and moved. */
import type { BacktestRun } from '../backtests.ts';
import type { Tried, TriedAlert } from '../tuning/try-change.ts';
import { page, type Page } from './frame.ts';
import { html, nothing, type Html } from './html.ts';
import { columns } from './table.ts';
import { ago, cut, number } from './words.ts';

const STATES: Readonly<Record<BacktestRun['state'], string>> = {
  running: 'running',
  done: 'done',
  failed: 'not done',
  cancelled: 'cancelled',
};

export function backtestPage(run: BacktestRun, mayTry: boolean, now: number): Page {
  const { state, change, detector, who, hours, began } = run;
  return page(
    'Back-test',
    '/detectors',
    html`<p class="quiet">
        ${detector === '' ? html`<a href="/detectors">Detectors</a>` : html`<a href="/detectors/${detector}">Back to the detector</a>`}
      </p>
      <h1>Back-test: ${STATES[state]}</h1>
      <p class="quiet">Of the last ${number(hours)} h, by ${who}, begun ${ago(began, now)}.</p>
      ${state === 'running' ? runningPart(run, mayTry) : nothing}
      ${run.problem === undefined ? nothing : html`<p class="problem" role="alert">${run.problem}</p>`}
      ${run.result === undefined ? nothing : resultPart(run.result)}
      <details ${run.result === undefined ? html` open` : nothing}>
        <summary>
          The change${run.result === undefined ? nothing : html`; it belongs into ${run.result.belongs}`}
        </summary>
        <pre class="file" tabindex="0">${change}</pre>
      </details>`,
  );
}

/** The page asks again by itself where scripts run. */
function runningPart({ id, done, events }: BacktestRun, mayTry: boolean): Html {
  return html`<div class="running" data-watch="/api/v1/backtests/${id}">
    <p>
      <label for="progress">Of the log</label>
      <progress id="progress" value="${done.toFixed(2)}" max="1"></progress>
      <output id="progress-words" for="progress">${(done * 100).toFixed(0)} %, ${number(events)} events</output>
    </p>
    <noscript
      ><p><a href="/backtests/${id}">Look again</a></p></noscript
    >
    ${
      mayTry
        ? html`<form method="post" action="/backtests/${id}/cancel">
            <input type="hidden" name="reason" value="No longer wanted" /><button type="submit">Cancel</button>
          </form>`
        : nothing
    }
  </div>`;
}

function resultPart(result: Tried): Html {
  const { before, after, counts, detectors, events, batches, missing } = result;
  return html`<section aria-labelledby="compared-title">
      <h2 id="compared-title">Before and after</h2>
      <table class="sides">
        <caption>
          ${number(events)} events in ${number(batches)}
          batches${missing === 0 ? nothing : html`; ${number(missing)} bodies are no longer there`}
        </caption>
        ${columns('', 'now', 'with this')}
        <tbody>
          ${compared('Alerts', before.alerts, after.alerts)}
          ${compared('Stories that people are shown', before.shown, after.shown)}
          <tr>
            <th scope="row">µs an event</th>
            <td>${before.microsecondsAnEvent.toFixed(1)}</td>
            <td>${after.microsecondsAnEvent.toFixed(1)}</td>
          </tr>
        </tbody>
      </table>
      ${detectors.length === 0 ? html`<p class="empty">Nothing changes: the same alerts are found.</p>` : detectorTable(detectors)}
    </section>
    ${named('At least so much: what these read left in another form, in part as pseudonyms', result.partly)}
    ${named('Run on nodes and differ: evidence cannot tell what they would find', result.untried)}
    ${alertList('Gained', counts.gained, result.gained)} ${alertList('Lost', counts.lost, result.lost)}
    ${alertList('Moved', counts.moved, result.moved)}`;
}

function compared(name: string, before: number, after: number): Html {
  return html`<tr>
    <th scope="row">${name}</th>
    <td>${number(before)}</td>
    <td>${before === after ? number(after) : html`<strong>${number(after)}</strong> ${difference(before, after)}`}</td>
  </tr>`;
}

const difference = (before: number, after: number): string =>
  `(${after > before ? '+' : '−'}${number(Math.abs(after - before))})`;

function detectorTable(detectors: Tried['detectors']): Html {
  return html`<table class="sides">
    <caption>
      Who says more, and who less
    </caption>
    ${columns('Detector', 'now', 'with this')}
    <tbody>
      ${detectors.slice(0, 50).map(({ title, before, after }) => compared(title, before, after))}
    </tbody>
  </table>`;
}

function named(title: string, names: readonly string[]): Html {
  if (names.length === 0) return nothing;
  return html`<section>
    <h2>${title}</h2>
    <ul class="plain">
      ${names.map((name) => html`<li>${name}</li>`)}
    </ul>
  </section>`;
}

function alertList(title: string, count: number, alerts: readonly TriedAlert[]): Html {
  if (count === 0) return nothing;
  const more = count > alerts.length ? html` <span class="quiet">the newest ${number(alerts.length)}</span>` : nothing;
  return html`<section>
    <h2>${title}: ${number(count)}${more}</h2>
    <ul class="list">
      ${alerts.map(
        ({ severity, was, reason, node, time }) =>
          html`<li class="alert found ${severity}">
            <span class="severity">${severity}${was === undefined ? nothing : html`, was ${was}`}</span>
            <span>${cut(reason)}</span>
            <span class="meta quiet"
              >${node} · ${new Date(time / 1_000).toISOString().slice(0, 16).replace('T', ' ')}</span
            >
          </li>`,
      )}
    </ul>
  </section>`;
}
