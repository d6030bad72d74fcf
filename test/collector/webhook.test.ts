/** Webhooks: every alert arrives, in order, signed, however often the target fails; nothing from before it was set up. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { tellAlone } from '../../collector/detectors/stories.ts';
import { refusalAlert } from '../../collector/refusals.ts';
import { State } from '../../collector/state.ts';
import { postAlerts, signatureOf } from '../../collector/webhook.ts';

const logger = pino({ level: 'silent' });
const secret = Buffer.from('not a secret');

let home: string;
let state: State;
let server: Server;
let status: number;
let received: { signature: string; body: string }[];
beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'hushwatch-webhook-'));
  state = State.open(join(home, 'state.sqlite'));
  status = 200;
  received = [];
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      response.statusCode = status;
      if (status === 200) received.push({ signature: String(request.headers['hushwatch-signature']), body });
      response.end();
    });
  });
  await new Promise<void>((settle) => server.listen(0, '127.0.0.1', settle));
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
  state[Symbol.dispose]();
  rmSync(home, { recursive: true });
});

function start(): () => Promise<void> {
  const ending = new AbortController();
  // oxlint-disable-next-line no-unsafe-type-assertion -- a TCP server has an AddressInfo
  const { port } = server.address() as AddressInfo;
  const done = postAlerts(state, { url: `http://127.0.0.1:${port}/hook`, secret }, logger, ending.signal);
  return async () => {
    ending.abort();
    await done;
  };
}

const raise = (name: string): void =>
  void state.commitStep({
    alerts: [tellAlone(refusalAlert(name, 'unknown-ruleset', 'used rules', 1_790_000_000_000_000)).alert],
  });
const nodes = (): string[] =>
  received.flatMap(({ body }) => {
    const message: { alerts: { node: string }[] } = JSON.parse(body);
    return message.alerts.map(({ node }) => node);
  });
const until = async (what: () => boolean): Promise<void> => {
  for (const end = Date.now() + 10_000; !what();) {
    if (Date.now() > end) throw new Error('waited in vain');
    await new Promise((settle) => setTimeout(settle, 5));
  }
};

test('alerts arrive in order and signed; those from before are not sent', async () => {
  raise('before');
  const stop = start();
  raise('a');
  raise('b');
  await until(() => nodes().length === 2);
  expect(nodes()).toEqual(['a', 'b']);
  for (const { signature, body } of received) {
    const seconds = Number(/^t=([0-9]+),/.exec(signature)?.[1]);
    expect(signature).toBe(signatureOf(secret, seconds, body));
    expect(Math.abs(seconds - Date.now() / 1000)).toBeLessThan(10);
  }
  await stop();
});

test('a target that fails gets the alerts later, after a restart too', async () => {
  status = 500;
  let stop = start();
  raise('a');
  await new Promise((settle) => setTimeout(settle, 100));
  await stop();
  status = 200;
  stop = start();
  raise('b');
  await until(() => nodes().length === 2);
  expect(nodes()).toEqual(['a', 'b']);
  await stop();
});
