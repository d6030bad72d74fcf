/** State as text: what JSON would say, in steps between which others have their turn. */
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Rows } from '../../collector/detectors/rows.ts';
import { textOfState } from '../../collector/saving.ts';

const states = fc.letrec<{ state: unknown }>((tie) => ({
  state: fc.oneof(
    { depthSize: 'small' },
    fc.jsonValue(),
    fc.constantFrom(undefined, Number.NaN),
    fc.array(tie('state'), { maxLength: 4 }).map((rows) => new Rows(() => rows)),
    fc.dictionary(fc.string(), tie('state'), { maxKeys: 4 }),
    fc.array(tie('state'), { maxLength: 4 }),
  ),
})).state;

test('it is the text that JSON.stringify makes', async () => {
  await fc.assert(
    fc.asyncProperty(states, async (state) => {
      expect(await textOfState(state)).toBe(JSON.stringify(state) ?? 'null');
    }),
  );
});

test('others have their turn while a long one is made', async () => {
  let turns = 0;
  let isDone = false;
  const busy = (): readonly unknown[] => {
    for (const end = performance.now() + 2; performance.now() < end;);
    return ['row'];
  };
  const saving = textOfState({
    nodes: new Rows(function* () {
      for (let i = 0; i < 100; i++) yield busy();
    }),
  }).then(() => (isDone = true));
  for (; !isDone; turns++) await turn();
  await saving;
  expect(turns).toBeGreaterThan(5);
});
