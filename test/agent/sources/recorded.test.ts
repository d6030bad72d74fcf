/**
 * Frames as real kernels gave them (`test/data/frames/`, made by `test/e2e/record.ts`): they decode, they become events that the
 * vocabulary knows, and both kernels tell the same story of the same deeds.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { Enricher } from '../../../agent/enrich.ts';
import type { RawEvent } from '../../../agent/event.ts';
import { ProcessTable } from '../../../agent/process-table.ts';
import type { Frame, ObservedFrame } from '../../../agent/sources/frame.ts';
import { FrameDecoder } from '../../../agent/sources/frames.ts';
import { UserNames } from '../../../agent/users.ts';
import { checkVocabulary, stillClock } from '../sample.ts';

const FRAMES = fileURLToPath(new URL('../../data/frames/', import.meta.url));
const files = readdirSync(FRAMES).filter((file) => file.endsWith('.bin'));
const recorded = (file: string): readonly Frame[] => new FrameDecoder().push(readFileSync(`${FRAMES}${file}`));

const observed = (file: string): ObservedFrame[] =>
  recorded(file).filter((frame) => frame.kind !== 'hello' && frame.kind !== 'counters' && frame.kind !== 'process');

/** What the program that does everything did, by its pid: the process that was given `all` to do. */
function kindsOfDeeds(file: string): string[] {
  const frames = observed(file);
  const doer = frames.find((frame) => frame.kind === 'exec' && frame.args[1] === 'all');
  const begun = doer === undefined ? -1 : frames.indexOf(doer);
  return frames.slice(begun).flatMap((frame) => (frame.pid === doer?.pid ? [frame.kind] : []));
}

test('there is a recording of the oldest kernel and of a newer one', () => {
  expect(files).toContain('linux-6.1.bin');
  expect(files.length).toBeGreaterThan(1);
});

describe.each(files)('%s', (file) => {
  test('greets first, and has no byte left over', () => {
    const bytes = readFileSync(`${FRAMES}${file}`);
    let end = 0;
    while (end < bytes.length) end += bytes.readUInt32LE(end);
    expect(end).toBe(bytes.length);
    expect(recorded(file)[0]).toMatchObject({ kind: 'hello' });
    expect(recorded(file).length).toBeGreaterThan(60);
  });

  test('becomes events of the vocabulary', () => {
    const enricher = new Enricher(new ProcessTable(), new UserNames(), stillClock);
    const events: RawEvent[] = observed(file).map((frame) => enricher.enrich(frame));
    events.forEach(checkVocabulary);
    expect(new Set(events.map((event) => event.name)).size).toBeGreaterThan(15);
    const child = events.find((event) => event.attributes['process.executable.memfd'] === true);
    expect(child?.attributes).toMatchObject({ 'process.parent.executable.path': '/bin/actions' });
  });

  test('tells of the same deeds as the first', () => {
    expect(kindsOfDeeds(file).length).toBeGreaterThan(30);
    expect(kindsOfDeeds(file)).toEqual(kindsOfDeeds('linux-6.1.bin'));
  });
});
