/** One event, one source: what each source really tells is what `protocol/senses.ts` says that it tells, and nobody else tells it. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { LEFT_OF_SENSOR, MODES, SENSES, sourceIn, sourceTable, type Teller } from '#protocol/senses.ts';
import { SOURCES } from '#protocol/statement.ts';
import { EVENTS, isEventName, type EventName } from '#protocol/vocabulary.ts';
import { Enricher } from '../../../agent/enrich.ts';
import { ProcessTable } from '../../../agent/process-table.ts';
import type { Frame } from '../../../agent/sources/frame.ts';
import { FrameDecoder } from '../../../agent/sources/frames.ts';
import { UserNames } from '../../../agent/users.ts';
import { stillClock } from '../sample.ts';

const CHECKOUT = fileURLToPath(new URL('../../../', import.meta.url));
const text = (file: string): string => readFileSync(`${CHECKOUT}${file}`, 'utf8');
const NAMES = Object.keys(EVENTS).filter(isEventName);
const toldBy = (teller: Teller): EventName[] => NAMES.filter((name) => SENSES[name].source === teller).toSorted();

/** One frame of every kind. */
const golden = new FrameDecoder().push(readFileSync(new URL('frames.bin', import.meta.url)));
function eventsOf(frames: readonly Frame[]): EventName[] {
  const enricher = new Enricher(new ProcessTable(), new UserNames('/nonexistent'), stillClock);
  const names = frames.flatMap((frame) =>
    frame.kind === 'hello' || frame.kind === 'counters' || frame.kind === 'process'
      ? []
      : [enricher.enrich(frame).name],
  );
  return [...new Set(names)].toSorted();
}

/** Names that a module gives to what it makes; those that it only asks for stand behind `===`. */
function namesIn(...files: readonly string[]): EventName[] {
  const made = files.flatMap((file) =>
    [...text(file).matchAll(/(?:name: |event\(|=> |\? |: |return )'([a-z]+(?:\.[a-z]+)+)'/g)].map(
      (match) => match[1] ?? '',
    ),
  );
  return [...new Set(made.filter(isEventName))].toSorted();
}

describe.each(MODES)('%s', (mode) => {
  test('each event has one source, which statements can name, or none', () => {
    const known: readonly (string | undefined)[] = [...SOURCES, 'agent', undefined];
    for (const name of NAMES) expect(known, name).toContain(sourceIn(mode, name));
    const ofKernel = new Set(NAMES.map((name) => sourceIn(mode, name)));
    expect([...ofKernel].filter((source) => MODES.some((other) => other === source))).toEqual([mode]);
  });
});

test('frames become the events of the sensor: all of them and no other', () => {
  expect(eventsOf(golden)).toEqual(toldBy('sensor'));
});

test('the proc connector makes the frames of its events, and no other', () => {
  const made = new Set(
    [...text('agent/sensor/connector.h').matchAll(/FRAME_([A-Z_]+)\b/g)].map((match) =>
      (match[1] ?? '').toLowerCase().replaceAll('_', '-'),
    ),
  );
  expect(eventsOf(golden.filter(({ kind }) => made.has(kind)))).toEqual(LEFT_OF_SENSOR['proc-connector'].toSorted());
});

test('/proc, the journal and the host name what is theirs alone', () => {
  expect(namesIn('agent/sources/proc.ts')).toEqual(LEFT_OF_SENSOR.proc.toSorted());
  const ofItself: EventName = 'hushwatch.source.report';
  expect(namesIn('agent/sources/host.ts')).toEqual([...toldBy('host'), ofItself].toSorted());
  expect(namesIn('agent/sources/journal.ts', 'agent/sources/journal/describe.ts')).toEqual(
    [...toldBy('journal'), ofItself].toSorted(),
  );
});

test('the README shows the table', () => {
  const shown = /<!-- sources -->\n\n([^]*?)\n\n<!-- \/sources -->/.exec(text('agent/README.md'))?.[1];
  expect(shown).toBe(sourceTable());
});
