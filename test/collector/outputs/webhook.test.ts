/** Webhooks: every story arrives, in order, signed as Standard Webhooks has it, however often the target fails. */
import { createHmac } from 'node:crypto';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { feedOutput } from '../../../collector/outputs/output.ts';
import { makeWebhook, parseSecret, signatureOf } from '../../../collector/outputs/webhook.ts';
import { State } from '../../../collector/state.ts';
import { httpReceiver, type Posted } from './receivers.ts';
import { Home, raise, until } from './stories.ts';

const secret = Buffer.from('not a secret');

function start(state: State, port: number): () => Promise<void> {
  const ending = new AbortController();
  const output = makeWebhook({ url: `http://127.0.0.1:${port}/hook`, secret });
  const done = feedOutput(state, output, pino({ level: 'silent' }), ending.signal);
  return async () => {
    ending.abort();
    await done;
  };
}

const nodes = (taken: readonly Posted[]): readonly string[] =>
  taken.map(({ body }) => {
    const message: { data: { node: string } } = JSON.parse(body);
    return message.data.node;
  });

test('stories arrive in order and signed; those from before are not sent', async () => {
  using home = new Home();
  using state = State.open(home.file);
  await using receiver = await httpReceiver();
  raise(state, 'before');
  const stop = start(state, receiver.port);
  raise(state, 'a');
  raise(state, 'b');
  await until(() => receiver.taken.length === 2);
  expect(nodes(receiver.taken)).toEqual(['a', 'b']);
  for (const { headers, body } of receiver.taken) {
    const [id, seconds] = [String(headers['webhook-id']), Number(headers['webhook-timestamp'])];
    // As a receiver computes it, without our code.
    const expected = createHmac('sha256', secret).update(`${id}.${seconds}.${body}`).digest('base64');
    expect(headers['webhook-signature']).toBe(`v1,${expected}`);
    expect(Math.abs(seconds - Date.now() / 1000)).toBeLessThan(10);
    expect(JSON.parse(body)).toMatchObject({ type: 'story.opened', timestamp: '2026-09-21T14:13:20.000Z' });
  }
  await stop();
});

test('a target that fails gets the stories later, after a restart too', async () => {
  using home = new Home();
  using state = State.open(home.file);
  await using receiver = await httpReceiver();
  receiver.refuses = true;
  let stop = start(state, receiver.port);
  raise(state, 'a');
  await new Promise((settle) => setTimeout(settle, 100));
  await stop();
  receiver.refuses = false;
  stop = start(state, receiver.port);
  raise(state, 'b');
  // What was under way when the first was stopped may have arrived, and comes again.
  const arrived = (): readonly string[] => [...new Set(nodes(receiver.taken))];
  await until(() => arrived().length === 2);
  expect(arrived()).toEqual(['a', 'b']);
  await stop();
});

test('the vector of the specification', () => {
  const key = parseSecret(Buffer.from('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n'));
  expect(signatureOf(key, 'msg_p5jXN8AQM9LWM0D4loKWxJek', 1_614_265_330, '{"test": 2432232314}')).toBe(
    'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  );
  expect(parseSecret(Buffer.from('plain\n'))).toEqual(Buffer.from('plain'));
});
