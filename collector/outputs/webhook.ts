/**
 * Stories as webhooks, one POST for each revision, as Standard Webhooks 1.0 has it: `webhook-id`, `webhook-timestamp`
 * and, with a secret, `webhook-signature: v1,BASE64` over `ID.TIMESTAMP.BODY`. Any of its libraries verifies them.
 */
import { createHmac } from 'node:crypto';
import type { StoryRow } from '../findings.ts';
import { messageId, Undelivered, type Output } from './output.ts';

const TIMEOUT_MS = 10_000;

export interface WebhookTarget {
  readonly url: string;
  readonly secret: Uint8Array | undefined;
}

export function makeWebhook(target: WebhookTarget): Output {
  const { host, pathname } = new URL(target.url);
  return {
    name: `webhook ${host}${pathname}`,
    async deliver(stories, signal): Promise<void> {
      for (const story of stories) await post(target, story, signal);
    },
  };
}

async function post({ url, secret }: WebhookTarget, story: StoryRow, signal: AbortSignal): Promise<void> {
  const id = messageId(story);
  const body = bodyOf(story);
  const seconds = Math.floor(Date.now() / 1000);
  const headers: Record<string, string> = {
    'content-type': 'application/json',
    'user-agent': 'hushwatch',
    'webhook-id': id,
    'webhook-timestamp': String(seconds),
  };
  if (secret !== undefined) headers['webhook-signature'] = signatureOf(secret, id, seconds, body);
  const limits = { signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]), redirect: 'error' as const };
  const response = await fetch(url, { method: 'POST', headers, body, ...limits });
  await response.body?.cancel();
  if (!response.ok) throw new Undelivered(`HTTP ${response.status}`);
}

/** The same bytes for the same revision. */
function bodyOf({ seq: _seq, ...story }: StoryRow): string {
  const type = story.alerts === 1 ? 'story.opened' : 'story.changed';
  return JSON.stringify({ type, timestamp: new Date(story.last / 1000).toISOString(), data: story });
}

export function signatureOf(secret: Uint8Array, id: string, seconds: number, body: string): string {
  return `v1,${createHmac('sha256', secret).update(`${id}.${seconds}.${body}`).digest('base64')}`;
}

/** `whsec_` and base64, as Standard Webhooks writes secrets; anything else is the key as it is. */
export function parseSecret(bytes: Uint8Array): Uint8Array {
  const text = Buffer.from(bytes).toString('latin1').trim();
  const [, base64] = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(text) ?? [];
  return base64 === undefined ? Buffer.from(text, 'latin1') : Buffer.from(base64, 'base64');
}
