/**
 * What detectors remember, as text, made in small steps: who receives batches meanwhile must not wait for it. Whoever asks
 * sees to it that nothing is observed until it is done.
 */
import { setImmediate as breathe } from 'node:timers/promises';
import { Rows } from './detectors/rows.ts';

/** Longer than this nothing else waits. */
const STEP_MS = 10;

/** The same text as JSON.stringify makes of it. */
export async function textOfState(state: unknown): Promise<string> {
  const pieces: string[] = [];
  let since = performance.now();
  for (const piece of piecesOf(state)) {
    pieces.push(piece);
    if (performance.now() - since < STEP_MS) continue;
    await breathe();
    since = performance.now();
  }
  return pieces.join('');
}

function* piecesOf(value: unknown): Generator<string> {
  if (value instanceof Rows) {
    let before = '[';
    for (const row of value) {
      yield before + (JSON.stringify(row) ?? 'null');
      before = ',';
    }
    yield before === '[' ? '[]' : ']';
  } else if (isPlain(value)) {
    let before = '{';
    for (const [key, member] of Object.entries(value)) {
      if (member === undefined) continue;
      yield `${before}${JSON.stringify(key)}:`;
      yield* piecesOf(member);
      before = ',';
    }
    yield before === '{' ? '{}' : '}';
  } else yield JSON.stringify(value) ?? 'null';
}

const isPlain = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
