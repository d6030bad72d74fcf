/**
 * What a preview shows: everything that an agent would sense here and now, or what somebody recorded. Nothing is counted,
 * kept or sent; a running agent is not disturbed.
 */
import { createReadStream } from 'node:fs';
import { ConfigError } from '../config/yaml.ts';
import { SystemClock } from './clock.ts';
import { derive, Deriver } from './derive.ts';
import { Enricher } from './enrich.ts';
import type { RawEvent } from './event.ts';
import { Inspector, notice } from './inspect.ts';
import { Digester } from './inspect/digest.ts';
import { Ledger } from './ledger.ts';
import { merge } from './merge.ts';
import { nodeFiles } from './node-files.ts';
import { observe } from './pipeline.ts';
import { ProcessTable, sharesPids } from './process-table.ts';
import { openFrameSource } from './sources/ebpf.ts';
import { mapperOf } from './sources/exporters.ts';
import { parseLine } from './sources/exporters/json.ts';
import type { Exporter } from './sources/exporters/name.ts';
import { Tail } from './sources/exporters/tail.ts';
import { FrameDecoder } from './sources/frames.ts';
import { FrameError } from './sources/frames/reader.ts';
import type { Frame } from './sources/frame.ts';
import { hostEvents } from './sources/host.ts';
import { journalEvents } from './sources/journal.ts';
import { UserNames } from './users.ts';

/** A socket for a sensor, a file of recorded frames, or a file of another exporter's lines. */
export type Shown =
  | { readonly socket: string; readonly withMd5: boolean; readonly journal: boolean }
  | { readonly frames: string }
  | { readonly lines: string; readonly exporter: Exporter };

type Chunks = AsyncGenerator<readonly RawEvent[]>;

/** `skipped` hears of each recorded line that becomes no event, and why. */
export function streamOf(shown: Shown, skipped: (why: string) => void = () => {}): Chunks {
  if ('lines' in shown) return ofLines(shown.lines, shown.exporter, skipped);
  return 'frames' in shown ? ofRecording(shown.frames) : ofNow(shown);
}

const SENSOR_IS_KNOWN = { met: () => [], left: () => {} };

/** As `sense.ts` puts it together, but for what an agent says of itself. */
async function* ofNow({ socket, withMd5, journal }: Extract<Shown, { socket: string }>): Chunks {
  const stop = new AbortController();
  const { signal } = stop;
  const processes = new ProcessTable(sharesPids() ? '/proc' : undefined);
  const known = { processes, users: new UserNames(), clock: new SystemClock() };
  const inspector = new Inspector(new Digester(() => withMd5), () => {});
  const enricher = new Enricher(processes, known.users, known.clock);
  const observed = observe(openFrameSource(socket, signal), enricher, new Ledger(), SENSOR_IS_KNOWN);
  const deriver = new Deriver(nodeFiles(), (pid) => processes.peek(pid)?.args);
  const said = journal
    ? [journalEvents({ known, directory: undefined, position: undefined, note: () => {}, signal })]
    : [];
  try {
    yield* merge(
      derive(notice(observed, inspector), deriver, Date.now),
      hostEvents(signal),
      inspector.events(signal),
      ...said,
    );
  } finally {
    stop.abort();
    inspector.close();
  }
}

/** Of a recording our /proc knows nothing, and our files are not those that it speaks of: nothing is derived from it. */
async function* ofRecording(file: string): Chunks {
  const enricher = new Enricher(new ProcessTable(), new UserNames(), new SystemClock());
  yield* observe(decoded(file), enricher, new Ledger(), SENSOR_IS_KNOWN);
}

async function* decoded(file: string): AsyncGenerator<readonly Frame[]> {
  const decoder = new FrameDecoder();
  try {
    for await (const chunk of createReadStream(file)) yield decoder.push(chunk);
  } catch (error) {
    if (!(error instanceof FrameError)) throw error;
    throw new ConfigError(`${file}: not what a sensor of this version recorded (${error.message})`);
  }
}

const NO_WORD = 'of something that no event here stands for';

/** What is not mapped never leaves, and is not shown: its fields mean nothing here. */
async function* ofLines(file: string, exporter: Exporter, skipped: (why: string) => void): Chunks {
  const tail = new Tail(file, undefined, true);
  const map = mapperOf[exporter](new UserNames());
  try {
    for (let chunk = await tail.read(); ; chunk = await tail.read()) {
      if (chunk.state !== 'reading')
        throw new ConfigError(`${file}: ${chunk.state}; name a file of lines that ${exporter} wrote`);
      for (let n = 0; n < chunk.spoilt; n++) skipped('too long or without an end');
      yield chunk.lines.flatMap((line) => {
        const fields = parseLine(line);
        const told = fields === undefined ? 'unreadable' : map(fields);
        if (typeof told !== 'string' && told.event !== undefined) return [told.event];
        skipped(
          typeof told !== 'string' ? 'about losses' : told === 'unmapped' ? NO_WORD : `none that ${exporter} writes`,
        );
        return [];
      });
      if (chunk.isIdle) return;
    }
  } finally {
    await tail.close();
  }
}
