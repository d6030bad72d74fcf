/** Another exporter's file as a source: events with positions, reports, and losses that balance in the ledger. */
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { RawEvent } from '../../../agent/event.ts';
import { Ledger } from '../../../agent/ledger.ts';
import { exporterEvents } from '../../../agent/sources/exporters.ts';
import {
  NOTHING_UNTOLD,
  parseExporterPosition,
  type ExporterMark,
  type ExporterPosition,
} from '../../../agent/sources/exporters/position.ts';
import { compileRuleset } from '../../../redaction-rules/compile.ts';
import { KEYS } from '../../redaction-rules/small-ruleset.ts';
import { SHIPPED } from '../../redaction-rules/shipped.ts';
import { users } from './exporters/real-lines.ts';

let directory: string;
let file: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'hushwatch-exporters-'));
  file = join(directory, 'falco.log');
});
afterEach(() => rmSync(directory, { recursive: true }));

const open = (path: string): string =>
  `${JSON.stringify({
    time: '2024-05-07T18:54:19.341081180Z',
    rule: 'Any',
    output: `CANARY ${path}`,
    output_fields: { 'evt.type': 'openat', 'fd.name': path, 'proc.cmdline': 'cat CANARY', 'user.uid': 0 },
  })}\n`;
const DROP =
  '{"rule":"Falco internal: syscall event drop","output_fields":{"n_drops":"20","n_drops_buffer_open_exit":"5"}}\n';

interface Run {
  readonly events: readonly RawEvent[];
  readonly marks: readonly ExporterMark[];
}

/** Until so many events came. */
async function run(count: number, position: ExporterPosition | undefined, meanwhile: () => void): Promise<Run> {
  const stop = new AbortController();
  const events: RawEvent[] = [];
  const marks: ExporterMark[] = [];
  const note = (mark: ExporterMark): void => void marks.push(mark);
  const source = exporterEvents({ kind: 'falco', file, users, position, note, signal: stop.signal });
  for await (const chunk of source) {
    if (events.length === 0) meanwhile();
    events.push(...chunk);
    for (const { exporter } of chunk) if (exporter !== undefined) marks.push(exporter);
    if (events.length >= count) stop.abort();
  }
  return { events, marks };
}

test('events, what could not be read, what it lost; and another start tells nothing twice', async () => {
  writeFileSync(file, 'there before\n');
  const first = await run(2, undefined, () => appendFileSync(file, `${open('/etc/a')}no line\n${DROP}`));
  expect(first.events.map(({ name }) => name)).toEqual(['hushwatch.source.report', 'file.open']);
  expect(first.events[0]?.attributes).toMatchObject({
    'hushwatch.source': 'falco',
    'hushwatch.source.state': 'reading',
  });
  const last = first.marks.at(-1);
  expect(last).toMatchObject({ lost: { file: 5 }, position: { untold: { lost: 15, unreadable: 1 } } });
  expect(parseExporterPosition(JSON.parse(JSON.stringify(last?.position)))).toEqual(last?.position);

  appendFileSync(file, open('/etc/b'));
  const second = await run(2, last?.position, () => {});
  const report = second.events.find(({ name }) => name === 'hushwatch.source.report');
  expect(report?.attributes).toMatchObject({ 'hushwatch.entries.lost': 15, 'hushwatch.entries.unreadable': 1 });
  expect(second.events.flatMap(({ attributes }) => attributes['file.path'] ?? [])).toEqual(['/etc/b']);
});

test('what the exporter lost was seen by it, and lost in the queue', () => {
  const ledger = new Ledger();
  const position = { device: '1', inode: '2', offset: 3, time: 4, untold: NOTHING_UNTOLD };
  ledger.readExporter({ position, lost: { file: 5 } });
  expect(ledger.exporter).toEqual(position);
  expect(ledger.totals).toMatchObject({ seen: { file: 5 }, lost: { queue: { file: 5 } } });
});

test('a file that is not there is told once', async () => {
  const { events } = await run(2, undefined, () => writeFileSync(file, ''));
  expect(events.map(({ attributes }) => attributes['hushwatch.source.state'])).toEqual(['absent', 'reading']);
});

test('a position of another form is none', () => {
  for (const value of [
    undefined,
    null,
    3,
    {},
    { device: '1', inode: '2', offset: -1, time: 0, untold: NOTHING_UNTOLD },
  ])
    expect(parseExporterPosition(value)).toBeUndefined();
});

test('what leaves of an alert holds nothing of its sentence or its command line', async () => {
  writeFileSync(file, '');
  const { events } = await run(2, undefined, () => appendFileSync(file, open('/etc/shadow')));
  for (const { ruleset } of SHIPPED) {
    const lines = events.map((event) => compileRuleset(ruleset, KEYS).redact(event)?.line ?? '');
    expect(lines.join('\n')).not.toContain('CANARY');
    expect(lines[1]).toContain('/etc/shadow');
  }
});
