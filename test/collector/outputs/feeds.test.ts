/** Outputs put in place of others: no story is lost at the turn, none comes from two at once. */
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { Feeds } from '../../../collector/outputs/feeds.ts';
import type { Output } from '../../../collector/outputs/output.ts';
import { State } from '../../../collector/state.ts';
import { Home, raise, until } from './stories.ts';

class Receiver {
  readonly taken: string[] = [];
  #under = 0;
  most = 0;

  get output(): Output {
    return {
      name: 'one',
      deliver: async (stories) => {
        this.most = Math.max(this.most, ++this.#under);
        await new Promise((settle) => setTimeout(settle, 5));
        this.taken.push(...stories.map(({ node }) => node));
        this.#under -= 1;
      },
    };
  }
}

test('each story once, whoever is fed', async () => {
  using home = new Home();
  using state = State.open(home.file);
  await using feeds = new Feeds(state, pino({ level: 'silent' }));
  const receiver = new Receiver();
  await feeds.become([receiver.output]);
  const nodes = Array.from({ length: 12 }, (_, i) => `node-${i}`);
  for (const [i, node] of nodes.entries()) {
    raise(state, node, 'critical');
    if (i % 3 === 0) await feeds.become([receiver.output]);
  }
  expect(feeds.outputs.map(({ name }) => name)).toEqual(['one']);
  await until(() => new Set(receiver.taken).size === nodes.length);
  expect(receiver.taken).toEqual(nodes);
  expect(receiver.most).toBe(1);
});

test('who ends while outputs are changed ends those that came last too', async () => {
  using home = new Home();
  using state = State.open(home.file);
  const receiver = new Receiver();
  const feeds = new Feeds(state, pino({ level: 'silent' }));
  await Promise.all([feeds.become([receiver.output]), feeds[Symbol.asyncDispose]()]);
  raise(state, 'node-1', 'critical');
  await new Promise((settle) => setTimeout(settle, 50));
  expect([feeds.outputs, receiver.taken]).toEqual([[], []]);
});
