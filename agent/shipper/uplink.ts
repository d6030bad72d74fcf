/**
 * The way to the collector: WebSocket over TLS 1.3, both ends known by their public key. The only code on a node that
 * speaks to the network. Reconnecting and waiting live here, so that the pipeline does not know of them.
 */
import { createHash, type X509Certificate } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { TLSSocket } from 'node:tls';
import { WebSocket } from 'ws';
import { formatAnchor } from '#protocol/restart.ts';

const WINDOW = 16;
/** The longest answer is a receipt; anything larger is not for us. */
const MAX_ANSWER_BYTES = 262_144;
const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 30_000;
const ANSWER_WITHIN_MS = 30_000;

export interface UplinkOptions {
  readonly url: string;
  /** `sha256/…` of the collector's public key. */
  readonly pin: string;
  /** Who we are, in PEM. */
  readonly key: Uint8Array;
  readonly certificate: Uint8Array;
  readonly tell: (what: string, detail: Readonly<Record<string, string | number>>) => void;
}

/** The collector understood a batch and will not have it. It stays in the spool; somebody must look. */
export class Refused extends Error {
  override readonly name = 'Refused';
  readonly sequence: number;
  readonly code: string;

  constructor(sequence: number, code: string, message: string) {
    super(`batch ${sequence} was refused: ${message}`);
    this.sequence = sequence;
    this.code = code;
  }
}

export function pinOf(certificate: X509Certificate): string {
  const spki = certificate.publicKey.export({ format: 'der', type: 'spki' });
  return `sha256/${createHash('sha256').update(spki).digest('base64')}`;
}

/** `undefined` when the certificate's public key is the pinned one, else what to say. */
export function checkPin(certificate: X509Certificate | undefined, pin: string): Error | undefined {
  if (certificate === undefined) return new Error('the collector presented no certificate');
  const found = pinOf(certificate);
  return found === pin
    ? undefined
    : new Error(`the collector's key is ${found}, not the pinned one; is this our collector?`);
}

export class Uplink {
  readonly #options: UplinkOptions;
  #failures = 0;
  /** Batches that have their receipt. */
  carried = 0;

  constructor(options: UplinkOptions) {
    this.#options = options;
  }

  /** Waits as long as it takes: back-off with jitter after each failure. Throws only when the signal says stop. */
  async connect(signal: AbortSignal): Promise<Connection> {
    for (;;) {
      signal.throwIfAborted();
      if (this.#failures > 0) await sleep(this.#pause(), undefined, { signal });
      try {
        const connection = await open(this.#options);
        // A connection alone is no success: a collector that answers nonsense is not asked again at once either.
        this.#failures++;
        return connection;
      } catch (error) {
        this.#failures++;
        this.#options.tell('cannot connect', { why: wordsOf(error), attempt: this.#failures, hint: hintFor(error) });
      }
    }
  }

  /** A batch has its receipt: the next failure is the first again. */
  succeeded(): void {
    this.#failures = 0;
    this.carried++;
  }

  #pause(): number {
    const longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(this.#failures - 1, 16));
    return longest * (0.5 + Math.random() / 2);
  }
}

async function open({ url, pin, key, certificate, tell }: UplinkOptions): Promise<Connection> {
  const webSocket = new WebSocket(url, 'hushwatch.v1', {
    key: Buffer.from(key),
    cert: Buffer.from(certificate),
    minVersion: 'TLSv1.3',
    // No authority is asked: the pin below decides, before a batch is sent.
    rejectUnauthorized: false,
    maxPayload: MAX_ANSWER_BYTES,
    perMessageDeflate: false,
    handshakeTimeout: 10_000,
    followRedirects: false,
  });
  await new Promise<void>((settle, fail) => {
    webSocket.once('upgrade', (response) => {
      const theirs = response.socket instanceof TLSSocket ? response.socket.getPeerX509Certificate() : undefined;
      const wrong = checkPin(theirs, pin);
      if (wrong !== undefined) {
        webSocket.terminate();
        fail(wrong);
      }
    });
    webSocket.once('open', settle);
    webSocket.once('error', fail);
    webSocket.once('close', () => fail(new Error('closed before it was open')));
  });
  tell('connected', {});
  return new Connection(webSocket, tell);
}

interface Awaited {
  readonly settle: (receipt: Uint8Array) => void;
  readonly fail: (error: Error) => void;
}

export class Connection implements AsyncDisposable {
  readonly #webSocket: WebSocket;
  readonly #awaited = new Map<number, Awaited>();
  readonly #closed = new AbortController();
  readonly #anchor = Promise.withResolvers<string | undefined>();
  #hasSent = false;
  #roomWanted: (() => void) | undefined;
  #deadline: NodeJS.Timeout | undefined;

  constructor(webSocket: WebSocket, tell: UplinkOptions['tell']) {
    this.#webSocket = webSocket;
    webSocket.on('message', (data, isBinary) => this.#answer(isBinary ? '' : textOf(data)));
    webSocket.on('error', (error) => tell('connection broke', { why: wordsOf(error) }));
    webSocket.on('close', (code, reason) => this.end(new Error(`the collector closed: ${code} ${reason.toString()}`)));
  }

  /** Aborted with the reason when the connection is gone. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  /** Where the chain of our node stood when we connected, as the collector has it; undefined where it does not say, and once we sent more. */
  async anchor(): Promise<string | undefined> {
    const anchor = await this.#anchor.promise;
    return this.#hasSent ? undefined : anchor;
  }

  /** Returns when fewer batches are unacknowledged than the window allows. */
  async room(): Promise<void> {
    this.closed.throwIfAborted();
    if (this.#awaited.size < WINDOW) return;
    await new Promise<void>((settle) => (this.#roomWanted = settle));
    this.closed.throwIfAborted();
  }

  /** The receipt for this batch, not yet verified. */
  send(sequence: number, batch: Uint8Array): Promise<Uint8Array> {
    return new Promise((settle, fail) => {
      if (this.closed.aborted) {
        fail(this.#reason());
        return;
      }
      this.#hasSent = true;
      this.#awaited.set(sequence, { settle, fail });
      this.#watchSilence();
      this.#webSocket.send(batch, (error) => {
        if (error instanceof Error) fail(error);
      });
    });
  }

  #answer(text: string): void {
    const newline = text.indexOf('\n');
    const [word, number, code] = (newline < 0 ? text : text.slice(0, newline)).split(' ');
    const body = newline < 0 ? '' : text.slice(newline + 1);
    if (word === 'welcome') return this.#anchor.resolve(anchorIn(number, body));
    const sequence = Number(number);
    const awaited = this.#awaited.get(sequence);
    if (word === 'receipt' && awaited !== undefined) {
      this.#awaited.delete(sequence);
      awaited.settle(Buffer.from(body));
      this.#wake();
    } else if (word === 'refuse') {
      this.end(new Refused(sequence, code ?? 'unknown', body.slice(0, 500)));
    } else this.end(new Error('the collector said something that is no answer to anything'));
  }

  #watchSilence(): void {
    clearTimeout(this.#deadline);
    if (this.#awaited.size === 0) return;
    this.#deadline = setTimeout(
      () => this.end(new Error(`no answer for ${ANSWER_WITHIN_MS / 1_000} s`)),
      ANSWER_WITHIN_MS,
    );
  }

  #wake(): void {
    this.#watchSilence();
    this.#roomWanted?.();
    this.#roomWanted = undefined;
  }

  /** Over, for this reason: what waits for an answer fails with it. */
  end(why: Error): void {
    if (this.closed.aborted) return;
    this.#closed.abort(why);
    this.#anchor.resolve(undefined);
    this.#webSocket.terminate();
    for (const { fail } of this.#awaited.values()) fail(why);
    this.#awaited.clear();
    this.#wake();
  }

  #reason(): Error {
    const reason: unknown = this.closed.reason;
    return reason instanceof Error ? reason : new Error('closed');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.end(new Error('done'));
  }
}

/** A collector of a former version says only the number. */
const anchorIn = (number: string | undefined, body: string): string | undefined =>
  body === '' ? (number === '0' ? formatAnchor('none') : undefined) : body;

function textOf(data: WebSocket.RawData): string {
  return Buffer.isBuffer(data) ? data.toString('utf8') : '';
}

const WRONG_KEY = 'is this our collector? if it has a new key, ask its operator for a new invitation and enroll again';
const UNKNOWN_HERE =
  "the collector does not know this node's TLS key: hushwatch enroll here, hushwatch collector admit there";
const UNREACHABLE = 'the batches wait and go by themselves; is the address right, a firewall between?';
const HINTS: readonly (readonly [RegExp, string])[] = [
  [/EAI_|ENOTFOUND/, 'the name is not resolved: look at /etc/resolv.conf; where resolvers have moved, enroll again'],
  [/not the pinned one|no certificate/, WRONG_KEY],
  [/response: 403/, UNKNOWN_HERE],
  [/ECONNREFUSED/, 'is the collector running? the batches wait and go by themselves'],
  [/ENOENT|EACCES/, 'tls_key or tls_cert cannot be read: hushwatch shipper check'],
];

/** What a person can do where a connection fails so. */
export function hintFor(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return HINTS.find(([pattern]) => pattern.test(`${code} ${wordsOf(error)}`))?.[1] ?? UNREACHABLE;
}

export const wordsOf = (error: unknown): string =>
  error instanceof Error ? error.message || error.name : String(error);
