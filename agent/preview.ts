/**
 * `hushwatch agent preview`: what would leave, beside what would not, for live or recorded frames, or another exporter's lines.
 *
 * Raw values are printed to the terminal of whoever runs this, who can see them anyway. Nothing is sent, nothing is
 * written, and a redirected output is refused: raw data has no business in a file.
 */
import { createReadStream } from 'node:fs';
import { ATTRIBUTES, EVENTS, isAttributeName } from '#protocol/vocabulary.ts';
import { exporterOf, type AgentConfig, type Rules } from './agent.ts';
import { SystemClock } from './clock.ts';
import { ConfigError } from './config-file.ts';
import { Enricher } from './enrich.ts';
import { withMatches, type RawEvent } from './event.ts';
import { ProcessTable } from './process-table.ts';
import { openFrameSource } from './sources/ebpf.ts';
import { mapperOf } from './sources/exporters.ts';
import { parseLine } from './sources/exporters/json.ts';
import { Tail } from './sources/exporters/tail.ts';
import { FrameDecoder } from './sources/frames.ts';
import type { Frame } from './sources/frame.ts';
import { UserNames } from './users.ts';

export type Recording = { readonly frames: string } | { readonly lines: string };

export async function preview(
  config: AgentConfig,
  rules: Rules,
  recording: Recording | undefined,
  limit: number,
): Promise<void> {
  if (!process.stdout.isTTY) {
    throw new ConfigError(
      'preview shows raw values, which belong on a terminal only; run it on one, without a redirection',
    );
  }
  const strike = strikeOf(process.env);
  let shown = 0;
  for await (const event of recording !== undefined && 'lines' in recording
    ? fromLines(config, recording.lines)
    : fromFrames(config, recording?.frames)) {
    process.stdout.write(render(event, rules, strike));
    if (++shown >= limit) return;
  }
}

async function* fromFrames(config: AgentConfig, file: string | undefined): AsyncGenerator<RawEvent> {
  // Of recorded frames our /proc knows nothing; a live sensor describes who lives.
  const enricher = new Enricher(new ProcessTable(), new UserNames(), new SystemClock());
  const frames = file === undefined ? live(`${config.socket}.preview`) : recorded(file);
  for await (const chunk of frames) {
    for (const frame of chunk) {
      if (frame.kind === 'process') enricher.learn(frame);
      else if (frame.kind !== 'hello' && frame.kind !== 'counters') yield enricher.enrich(frame);
    }
  }
}

/** What is not mapped never leaves, and is not shown: its fields mean nothing here. */
async function* fromLines(config: AgentConfig, file: string): AsyncGenerator<RawEvent> {
  const exporter = exporterOf(config);
  if (exporter === undefined)
    throw new ConfigError('lines are of another exporter: name it in the configuration, as source');
  const tail = new Tail(file, undefined, true);
  const map = mapperOf[exporter.kind](new UserNames());
  try {
    for (let chunk = await tail.read(); chunk.position !== undefined; chunk = await tail.read()) {
      const events = chunk.lines.flatMap((line) => {
        const fields = parseLine(line);
        const told = fields === undefined ? 'unreadable' : map(fields);
        return typeof told === 'string' || told.event === undefined ? [] : [told.event];
      });
      yield* events;
      if (chunk.isIdle) return;
    }
  } finally {
    await tail.close();
  }
}

/** A socket beside the agent's own, which a running agent keeps: a second sensor speaks to it. */
function live(socket: string): AsyncIterable<readonly Frame[]> {
  process.stderr.write(`hushwatch agent: waiting for a sensor; start one: hushwatch-sensor --socket ${socket}\n`);
  return openFrameSource(socket, new AbortController().signal);
}

async function* recorded(file: string): AsyncGenerator<readonly Frame[]> {
  const decoder = new FrameDecoder();
  for await (const chunk of createReadStream(file)) yield decoder.push(chunk);
}

/** What stands around a value that does not leave; a terminal that knows no styles gets marks. */
type Strike = readonly [begin: string, end: string];
const STYLE: Strike = ['\u001b[9m', '\u001b[29m'];
const MARKS: Strike = ['~~', '~~'];
const strikeOf = ({ TERM = 'dumb', NO_COLOR = '' }: NodeJS.ProcessEnv): Strike =>
  TERM === 'dumb' || NO_COLOR !== '' ? MARKS : STYLE;

/** One event: each attribute as it is, and what would leave of it; struck out when nothing would. */
export function render(event: RawEvent, { redactor, matcher }: Rules, [begin, end]: Strike): string {
  const matched = matcher.match(event);
  const released = redactor.redact(withMatches(event, matched));
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
  return `${event.name}${released === undefined ? '  (withheld whole)' : ''}\n${lines.join('\n')}\n\n`;
}

/** JSON escapes control characters, so that an event cannot drive the terminal. */
const printable = (value: unknown): string => JSON.stringify(value);
