/** Pages of plain tables, in the dress of the other reports: `rules risk --html` and `rules oracle --html`. */
import { html, nothing, type Html } from '../collector/dashboard/html.ts';
import type { OracleRow, OracleTotal } from '../collector/detectors/oracle.ts';
import { toldWords } from './oracle.ts';
import { page } from './report.ts';

export interface Table {
  /** Empty where the page's own words are enough. */
  readonly caption: string;
  readonly heads: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** What there is when there are no rows. */
  readonly none: string;
}

/** A page of these tables; `said` stands above them, a paragraph each. */
export function tablesReport(title: string, said: readonly string[], tables: readonly Table[]): string {
  return page(
    title,
    html`<h1>${title}</h1>
      ${said.map((words) => html`<p>${words}</p> `)} ${tables.map(section)}`,
  );
}

function section({ caption, heads, rows, none }: Table): Html {
  const title = caption === '' ? nothing : html`<h2>${caption}</h2>`;
  if (rows.length === 0) return html`<section>${title}${none === '' ? nothing : html`<p>${none}</p>`}</section> `;
  return html`<section>
    ${title}
    <table>
      ${
        heads.length === 0
          ? nothing
          : html`<thead>
              <tr>
                ${heads.map((head) => html`<th scope="col">${head}</th>`)}
              </tr>
            </thead>`
      }
      <tbody>
        ${rows.map(
          (row) =>
            html`<tr>
              ${row.map((cell) => html`<td>${cell}</td>`)}
            </tr> `,
        )}
      </tbody>
    </table>
  </section> `;
}

/** What detection rules on nodes can tell of what does not leave. */
export function oracleReport(name: string, rows: readonly OracleRow[], totals: readonly OracleTotal[]): string {
  const asked = rows.flatMap(({ file, level, title, events, hidden }) =>
    hidden.map(({ attribute, sensitivity, leavesAs, onMatch, onSilence }) => [
      `${title.trim()} (${level}, ${file})`,
      events.join(', '),
      `${attribute} (${sensitivity ?? 'any'}); leaves: ${leavesAs}`,
      onMatch === undefined ? 'nothing of it alone' : `it ${toldWords(onMatch)}`,
      onSilence === undefined ? '' : `it ${toldWords(onSilence)}`,
    ]),
  );
  return tablesReport(
    `What rules on nodes can tell under ${name}`,
    [
      'A rule answers yes or no: one bit an event at most. What a yes pins down is below, the closest first; a letter may be of either case.',
    ],
    [
      {
        caption: 'rules',
        heads: ['rule', 'events', 'asks', 'a match says', 'no match says'],
        rows: asked,
        none: 'no rule runs on nodes',
      },
      {
        caption: 'all rules together',
        heads: ['event', 'rules', 'bits an event, at most'],
        rows: totals.map(({ event, rules, bitsPerEvent }) => [event, String(rules), String(bitsPerEvent)]),
        none: 'nothing',
      },
    ],
  );
}
