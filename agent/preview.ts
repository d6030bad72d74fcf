/**
 * `hushwatch agent preview`: what would leave, beside what would not, for live or recorded frames, or another exporter's lines.
 *
 * Raw values are printed to the terminal of whoever runs this, who can see them anyway. Nothing is sent, nothing is
 * written, and a redirected output is refused: raw data has no business in a file.
 */
import { ATTRIBUTES, EVENTS, isAttributeName, type EventName } from '#protocol/vocabulary.ts';
import type { Holder } from '../redaction-rules/sums.ts';
import { ConfigError } from '../config/yaml.ts';
import type { RawEvent } from './event.ts';
import { withMatches, type Gate } from './gate.ts';
import { streamOf, type Shown } from './preview-stream.ts';

export interface Wanted {
  /** Events to show. */
  readonly limit: number;
  /** Of each kind at most so many; then the whole of a recording is looked through. */
  readonly each?: number | undefined;
  /** Only those of this name. */
  readonly event?: EventName | undefined;
}

/** A gate, and which events it would let leave in a sum only. */
export interface PreviewGate extends Gate {
  readonly holder: Holder;
}

export async function preview(gate: PreviewGate, shown: Shown, wanted: Wanted): Promise<void> {
  if (!process.stdout.isTTY) {
    throw new ConfigError(
      'preview shows raw values, which belong on a terminal only; run it on one, without a redirection',
    );
  }
  if ('socket' in shown)
    process.stderr.write(`waiting for a sensor; start one: hushwatch-sensor --socket ${shown.socket}\n`);
  const strike = strikeOf(process.env);
  const tally = new Tally(wanted);
  for await (const chunk of streamOf(shown, (why) => tally.skip(why))) {
    for (const event of chunk) {
      if (tally.shows(event.name)) process.stdout.write(render(event, gate, strike));
      if (tally.isFull) break;
    }
    if (tally.isFull) break;
  }
  if (!('socket' in shown)) process.stdout.write(tally.text());
}

/** What was shown of a recording, and what was not. */
class Tally {
  readonly #wanted: Wanted;
  readonly #seen = new Map<string, number>();
  readonly #skipped = new Map<string, number>();
  #shown = 0;

  constructor(wanted: Wanted) {
    this.#wanted = wanted;
  }

  get isFull(): boolean {
    return this.#shown >= this.#wanted.limit;
  }

  skip(why: string): void {
    this.#skipped.set(why, (this.#skipped.get(why) ?? 0) + 1);
  }

  shows(name: EventName): boolean {
    const { event, each = Number.POSITIVE_INFINITY } = this.#wanted;
    if (event !== undefined && name !== event) return false;
    const seen = (this.#seen.get(name) ?? 0) + 1;
    this.#seen.set(name, seen);
    if (seen > each) return false;
    this.#shown++;
    return true;
  }

  text(): string {
    const { event, each } = this.#wanted;
    const all = [...this.#seen.values()].reduce((sum, n) => sum + n, 0);
    const of = event === undefined ? 'events' : `events ${event}`;
    const shown = this.isFull ? `the first ${this.#shown} ${of}` : `${this.#shown} of ${all} ${of}`;
    const more = [...this.#seen].filter(([, n]) => n > (each ?? n)).map(([name, n]) => `  ${name}: ${n}\n`);
    const skipped = [...this.#skipped].map(([why, n]) => `${n} ${n === 1 ? 'line' : 'lines'} ${why}\n`);
    const rest = more.length === 0 ? '' : `of these ${each} each; all of one with --event:\n${more.join('')}`;
    return `shown: ${shown}\n${rest}${skipped.join('')}`;
  }
}

/** What stands around a value that does not leave; a terminal that knows no styles gets marks. */
type Strike = readonly [begin: string, end: string];
const STYLE: Strike = ['\u001b[9m', '\u001b[29m'];
const MARKS: Strike = ['~~', '~~'];
const strikeOf = ({ TERM = 'dumb', NO_COLOR = '' }: NodeJS.ProcessEnv): Strike =>
  TERM === 'dumb' || NO_COLOR !== '' ? MARKS : STYLE;

/** One event: each attribute as it is, and what would leave of it; struck out when nothing would. */
export function render(event: RawEvent, { redactor, matcher, holder }: PreviewGate, [begin, end]: Strike): string {
  const matched = matcher.match(event);
  const sum = matched.length === 0 ? holder(event.name, event.attributes) : undefined;
  const released = sum === undefined ? redactor.redact(withMatches(event, matched)) : undefined;
  const out: Readonly<Record<string, unknown>> = released === undefined ? {} : JSON.parse(released.line);
  const lines = EVENTS[event.name].attributes.flatMap((name) => {
    const value = event.attributes[name];
    if (value === undefined) return [];
    const raw = printable(value);
    const leaves = out[name];
    const text =
      leaves === undefined
        ? `${begin}${raw}${end}  (withheld: ${isAttributeName(name) ? ATTRIBUTES[name].sensitivity : ''})`
        : `${raw}  ->  ${printable(leaves)}`;
    return [`  ${name.padEnd(34)} ${text}`];
  });
  const whole =
    sum === undefined ? 'withheld whole' : `counted in the sum ${sum.name}, told with the others of its window`;
  return `${event.name}${released === undefined ? `  (${whole})` : ''}\n${lines.join('\n')}\n\n`;
}

/** JSON escapes control characters, so that an event cannot drive the terminal. */
const printable = (value: unknown): string => JSON.stringify(value);
