/** The open batch: what goes in comes out, counted, in memory that is used again. */
import { expect, test } from 'vitest';
import { Body } from '../../agent/body.ts';
import { released } from './sample.ts';

const textOf = (body: Body): string => Buffer.from(body.plain).toString();

test('lines behind each other, counted by class, with first and last time', () => {
  const body = new Body();
  const events = [released('file', 7), released('process', 3, { 'file.path': '/ä/€/😀' }), released('file', 9)];
  for (const event of events) body.add(event);
  expect(textOf(body)).toBe(events.map(({ line }) => `${line}\n`).join(''));
  expect({ lines: body.lines, events: body.events, time: body.time }).toEqual({
    lines: 3,
    events: { file: 2, process: 1 },
    time: { first: 3, last: 9 },
  });
  expect(body.bytes).toBe(body.plain.length);
});

test('grows beyond its first size, also by lines of three bytes a character', () => {
  const body = new Body();
  const events = Array.from({ length: 200 }, (_, i) => released('file', i + 1, { 'file.path': '€'.repeat(i * 10) }));
  for (const event of events) body.add(event);
  expect(textOf(body)).toBe(events.map(({ line }) => `${line}\n`).join(''));
});

test('empty after clear; counts given out before stay as they were', () => {
  const body = new Body();
  body.add(released('file', 7));
  const { events } = body;
  body.clear();
  expect({ lines: body.lines, bytes: body.bytes, events: body.events, time: body.time }).toEqual({
    lines: 0,
    bytes: 0,
    events: {},
    time: { first: 0, last: 0 },
  });
  body.add(released('process', 1));
  expect(events).toEqual({ file: 1 });
});
