/**
 * Stories as syslog over TLS: RFC 5424 messages, framed by octet counting (RFC 5425).
 *
 * Syslog has no acknowledgement. What is the nearest to one: a receiver that does not want us closes at once, so we
 * wait a moment after the last message; then we close our half of the connection and wait for the receiver to close the
 * other, which it does when it has read everything. One that resets, closes early, or does not close within ten seconds
 * is offered the same stories again. One connection for each turn: there are few. What a receiver loses after it has
 * read it, we cannot know.
 */
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import type { Severity } from '../detectors/detector.ts';
import type { StoryRow } from '../findings.ts';
import { messageId, Undelivered, type Output } from './output.ts';

export interface SyslogTarget {
  readonly host: string;
  readonly port: number;
  /** Instead of the authorities that the system trusts. */
  readonly ca?: Uint8Array | undefined;
  /** Who we are, if the receiver asks. */
  readonly cert?: Uint8Array | undefined;
  readonly key?: Uint8Array | undefined;
}

const TIMEOUT_MS = 10_000;
/** Whoever has not closed by then reads on. */
const WANTED_AFTER_MS = 300;
/** What a receiver should be able to take (RFC 5425, 4.3.1). */
const MAX_MESSAGE_BYTES = 8_192;
/** Security and authorization messages. */
const FACILITY = 10;
const SEVERITIES: Readonly<Record<Severity, number>> = { critical: 2, high: 3, medium: 4, low: 5, informational: 6 };

export function makeSyslog(target: SyslogTarget): Output {
  const { host, port, ca, cert, key } = target;
  const options: ConnectionOptions = {
    ...{ host, port, minVersion: 'TLSv1.2', ALPNProtocols: [] },
    ...(ca === undefined ? {} : { ca: Buffer.from(ca) }),
    ...(cert === undefined || key === undefined ? {} : { cert: Buffer.from(cert), key: Buffer.from(key) }),
    ...(/^[0-9.]+$|:/.test(host) ? {} : { servername: host }),
  };
  return {
    name: `syslog ${host}:${port}`,
    deliver: async (stories, signal) => await send(options, Buffer.concat(stories.map(frameOf)), signal),
  };
}

async function send(options: ConnectionOptions, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
  const socket = connect(options);
  const stop = (): void => void socket.destroy(new Undelivered('stopped'));
  signal.addEventListener('abort', stop);
  socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Undelivered('no answer for ten seconds')));
  try {
    await closedBoth(socket, bytes);
  } finally {
    signal.removeEventListener('abort', stop);
    socket.destroy();
  }
}

async function closedBoth(socket: TLSSocket, bytes: Uint8Array): Promise<void> {
  await new Promise<void>((settle, fail) => {
    let isOurHalfClosed = false;
    const closeOurHalf = (): void => {
      isOurHalfClosed = true;
      socket.end();
    };
    socket.on('error', fail);
    // Reads, so that the end of the other side is noticed; a receiver says nothing.
    socket.resume();
    socket.once('secureConnect', () => socket.write(bytes, () => setTimeout(closeOurHalf, WANTED_AFTER_MS)));
    socket.once('end', () => {
      if (isOurHalfClosed) settle();
      else fail(new Undelivered('closed before we did'));
    });
    socket.once('close', () => fail(new Undelivered('closed without an end')));
  });
}

/** `LENGTH SP MESSAGE`. */
export function frameOf(story: StoryRow): Uint8Array {
  const message = messageOf(story);
  return Buffer.from(`${message.length} ${message}`, 'latin1');
}

/** ASCII alone, so that characters are bytes and no byte order mark is needed. */
export function messageOf(story: StoryRow): string {
  const priority = 8 * FACILITY + SEVERITIES[story.severity];
  const time = new Date(story.last / 1000).toISOString();
  const header = `<${priority}>1 ${time} ${nameOf(story.node)} hushwatch - story - @cee: `;
  const { title, reason, silencedBy } = story;
  for (let most = 4_096; ; most = Math.floor(most / 2)) {
    const texts = { title: title.slice(0, most), reason: reason.slice(0, most), silencedBy: silencedBy.slice(0, most) };
    const message = header + asciiOf({ ...summaryOf(story), ...texts });
    if (message.length <= MAX_MESSAGE_BYTES || most < 64) return message;
  }
}

function summaryOf(story: StoryRow): Readonly<Record<string, unknown>> {
  const { id, revision, node, severity, score, first, last, program, session, attack, measures, alerts, loss } = story;
  return {
    ...{ message: messageId(story), id, revision, node, severity, score, first, last, program, session, alerts, loss },
    attack: attack.slice(0, 16),
    measures: measures.slice(0, 4),
    findings: story.findings.slice(0, 8).map(({ detector, rule, count }) => ({ detector, rule, count })),
  };
}

const asciiOf = (value: unknown): string =>
  JSON.stringify(value).replaceAll(/[^\x20-\x7e]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** PRINTUSASCII, at most 255; `-` is nothing. */
const nameOf = (node: string): string => node.replaceAll(/[^\x21-\x7e]/g, '?').slice(0, 255) || '-';
