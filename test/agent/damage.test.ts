/** Damaged batches are told, each once, and those that come while nobody asks are not forgotten. */
import { expect, test } from 'vitest';
import { Damage } from '../../agent/damage.ts';

test('told in the order in which they were found, until it is over', async () => {
  const stop = new AbortController();
  const damage = new Damage();
  damage.note(3, 'truncated');
  damage.note(4, 'body-mismatch');
  const events = damage.events(stop.signal);
  expect((await events.next()).value).toMatchObject([
    { attributes: { 'hushwatch.batch.sequence': 3 } },
    { attributes: { 'hushwatch.batch.sequence': 4 } },
  ]);
  const next = events.next();
  damage.note(9, 'bad-signature');
  expect((await next).value).toMatchObject([
    { name: 'hushwatch.spool.damage', attributes: { 'hushwatch.batch.problem': 'bad-signature' } },
  ]);
  const last = events.next();
  stop.abort();
  expect(await last).toEqual({ done: true, value: undefined });
});
