/**
 * Alerts to other systems: POSTed as JSON in the order in which they were found, from a cursor for each target, again
 * with growing pauses until the target takes them. Nothing waits for a target. With a secret, each message is signed:
 * `hushwatch-signature: t=SECONDS,sha256=HMAC of "SECONDS.BODY"`.
 */
import { createHmac } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { State } from './state.ts';

const ALERTS_A_MESSAGE = 100;
const TIMEOUT_MS = 10_000;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 300_000;

export interface Target {
  readonly url: string;
  readonly secret: Uint8Array | undefined;
}

/** Until asked to stop. A target that is new begins with the alerts found from now on. */
export async function postAlerts(state: State, target: Target, logger: Logger, signal: AbortSignal): Promise<void> {
  const cursor = `webhook ${target.url}`;
  let position = state.cursor(cursor) ?? state.lastAlertSeq();
  state.commitStep({ alerts: [], cursor: { name: cursor, position } });
  for (let failures = 0; !signal.aborted;) {
    const alerts = state.alerts({ limit: ALERTS_A_MESSAGE, afterSeq: position, minSeverity: 'medium' });
    const last = alerts.at(-1);
    if (last === undefined) {
      await nextAlert(state, signal);
      continue;
    }
    try {
      await post(target, JSON.stringify({ alerts }), signal);
      failures = 0;
      position = last.seq;
      state.commitStep({ alerts: [], cursor: { name: cursor, position } });
    } catch (error) {
      failures += 1;
      const pause = Math.min(FIRST_PAUSE_MS * 2 ** failures, LONGEST_PAUSE_MS) * (0.5 + Math.random() / 2);
      logger.warn({ target: new URL(target.url).host, failures, problem: String(error) }, 'a webhook took no alerts');
      await sleep(pause, undefined, { signal }).catch(() => {});
    }
  }
}

async function post({ url, secret }: Target, body: string, signal: AbortSignal): Promise<void> {
  const headers: Record<string, string> = { 'content-type': 'application/json', 'user-agent': 'hushwatch' };
  if (secret !== undefined) headers['hushwatch-signature'] = signatureOf(secret, Math.floor(Date.now() / 1000), body);
  const limits = { signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]), redirect: 'error' as const };
  const response = await fetch(url, { method: 'POST', headers, body, ...limits });
  await response.body?.cancel();
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
}

export function signatureOf(secret: Uint8Array, seconds: number, body: string): string {
  return `t=${seconds},sha256=${createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')}`;
}

async function nextAlert(state: State, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const unsubscribe = state.onChange((what) => what === 'alert' && resolve());
  const stop = (): void => resolve();
  signal.addEventListener('abort', stop);
  await promise;
  signal.removeEventListener('abort', stop);
  unsubscribe();
}
