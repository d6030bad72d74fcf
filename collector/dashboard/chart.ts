/** Bars over time, drawn by the server: they need no script, print well, and every bar may be a link. A table of the same numbers is for everybody. */
import { html, nothing, type Html } from './html.ts';
import { columns } from './table.ts';
import { number } from './words.ts';

export interface Bar {
  /** µs. */
  readonly time: number;
  readonly value: number;
  /** Of the value; drawn apart. */
  readonly part?: number;
}

export interface BarsOptions {
  /** What is counted: `events`. */
  readonly unit: string;
  /** What the part is, if there is one. */
  readonly partName?: string;
  readonly bucketUs: number;
  /** Where a bar leads. */
  readonly link?: (bar: Bar) => string;
}

const HEIGHT = 120;
const WIDTH = 10;
const GAP = 1.5;

export function bars(all: readonly Bar[], options: BarsOptions): Html {
  const most = Math.max(1, ...all.map(({ value }) => value));
  const [first, last] = [all[0], all.at(-1)];
  if (first === undefined || last === undefined || all.every(({ value }) => value === 0)) return nothing;
  return html`<figure class="bars">
    <svg
      viewBox="0 0 ${all.length * WIDTH} ${HEIGHT}"
      preserveAspectRatio="none"
      role="img"
      aria-label="${options.unit} over time, at most ${number(most)} in ${length(options.bucketUs)}"
    >
      ${all.map((bar, i) => barOf(bar, i, most, options))}
    </svg>
    <figcaption class="quiet">
      <span>${moment(first.time, options.bucketUs)}</span>
      <span>${number(most)} ${options.unit} at most in ${length(options.bucketUs)}</span>
      <span>${moment(last.time + options.bucketUs, options.bucketUs)}</span>
    </figcaption>
    ${numbers(all, options)}
  </figure>`;
}

function barOf(bar: Bar, i: number, most: number, options: BarsOptions): Html {
  if (bar.value === 0) return nothing;
  const rect = (value: number, name: string): Html => {
    const height = Math.max(1, (value / most) * HEIGHT);
    return html`<rect
      class="${name}"
      x="${(i * WIDTH + GAP / 2).toFixed(1)}"
      y="${(HEIGHT - height).toFixed(1)}"
      width="${(WIDTH - GAP).toFixed(1)}"
      height="${height.toFixed(1)}"
    />`;
  };
  const words = `${moment(bar.time, options.bucketUs)}: ${number(bar.value)} ${options.unit}`;
  const drawn = html`<title>${words}</title>
    ${rect(bar.value, 'bar')}${(bar.part ?? 0) > 0 ? rect(bar.part ?? 0, 'bar part') : nothing}`;
  const to = options.link?.(bar);
  // By keyboard the same is in the table; a hundred stops here would be in the way.
  return to === undefined ? html`<g>${drawn}</g>` : html`<a href="${to}" tabindex="-1">${drawn}</a>`;
}

function numbers(all: readonly Bar[], { unit, partName, bucketUs, link }: BarsOptions): Html {
  const rows = all.filter(({ value }) => value > 0);
  if (rows.length === 0) return nothing;
  return html`<details>
    <summary>As a table</summary>
    <table>
      ${columns('From', unit, ...(partName === undefined ? [] : [partName]))}
      <tbody>
        ${rows.map((bar) => {
          const when = moment(bar.time, bucketUs);
          const to = link?.(bar);
          return html`<tr>
            <td>${to === undefined ? when : html`<a href="${to}">${when}</a>`}</td>
            <td>${number(bar.value)}</td>
            ${partName === undefined ? nothing : html`<td>${number(bar.part ?? 0)}</td>`}
          </tr>`;
        })}
      </tbody>
    </table>
  </details>`;
}

const DAY_US = 86_400e6;

/** As exact as the buckets are. */
export function moment(us: number, bucketUs: number): string {
  const iso = new Date(us / 1_000).toISOString();
  if (bucketUs >= DAY_US) return iso.slice(0, 10);
  return `${iso.slice(0, 10)} ${iso.slice(11, bucketUs % 60e6 === 0 ? 16 : 19)} UTC`;
}

export function length(us: number): string {
  const seconds = us / 1e6;
  if (seconds % 86_400 === 0) return `${seconds / 86_400} d`;
  if (seconds % 3_600 === 0) return `${seconds / 3_600} h`;
  return seconds % 60 === 0 ? `${seconds / 60} min` : `${seconds} s`;
}
