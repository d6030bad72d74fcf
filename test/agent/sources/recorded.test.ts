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

/** What it says goes to a file on the machine that was booted for it, and to a pipe here. */
const isOutput = (frame: ObservedFrame): boolean => frame.kind === 'modify' && frame.path.startsWith('/run/said-');

/** What the program that does everything did, by its pid: the process that was given `all` to do. */
function deedsIn(file: string): ObservedFrame[] {
  const frames = observed(file);
  const doer = frames.find((frame) => frame.kind === 'exec' && frame.args[1] === 'all');
  const begun = doer === undefined ? -1 : frames.indexOf(doer);
  return frames.slice(begun).filter((frame) => frame.pid === doer?.pid && !isOutput(frame));
}

/** In order, but for the ends of connections: these come when the network is done with them. */
function kindsOfDeeds(file: string): { readonly inOrder: readonly string[]; readonly flows: number } {
  const kinds = deedsIn(file).map((frame) => frame.kind);
  const inOrder = kinds.filter((kind) => kind !== 'flow');
  return { inOrder, flows: kinds.length - inOrder.length };
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

  test('names are those that the kernel used', () => {
    const origins = deedsIn(file).flatMap((frame) =>
      frame.kind === 'delete' || frame.kind === 'rename' || frame.kind === 'link' ? [frame.origin] : [],
    );
    expect(origins.length).toBeGreaterThan(5);
    expect(new Set(origins)).toEqual(new Set(['name']));
  });

  test('tells of the same deeds as the first', () => {
    expect(kindsOfDeeds(file).inOrder.length).toBeGreaterThan(30);
    expect(kindsOfDeeds(file)).toEqual(kindsOfDeeds('linux-6.1.bin'));
  });
});
