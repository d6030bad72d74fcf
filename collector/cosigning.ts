/**
 * Shows the log to its witnesses, who cosign what only grew. It follows the log at a pace of its own: a receipt never waits for a
 * witness. What they signed last lies beside the log as `log/cosigned`, and receipts are made from it as far as it reaches.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { openCheckpoint } from '#protocol/checkpoint.ts';
import type { CosignerKey } from '#protocol/cosignature.ts';
import { ProtocolError } from '#protocol/error.ts';
import { formatNote, parseNote, type SignatureLine, type VerifierKey } from '#protocol/note.ts';
import { formatAddCheckpoint } from '#protocol/witness.ts';
import { alertId, HOUR, type Alert } from './detectors/detector.ts';
import type { Head, TransparencyLog } from './log.ts';

export interface WitnessAddress {
  readonly key: CosignerKey;
  readonly url: string;
}

export interface Cosigning {
  readonly log: TransparencyLog;
  readonly logKey: VerifierKey;
  readonly witnesses: readonly WitnessAddress[];
  readonly logger: Pick<Logger, 'warn' | 'info'>;
  /** A witness saw another past of this log. */
  readonly alarm: (alert: Alert) => void;
}

const EVERY_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;
const ANSWER_WITHIN_MS = 10_000;
/** A cosignature is a line, a refusal a sentence. */
const MAX_ANSWER_BYTES = 4_096;

/** Until the signal says stop. */
export async function followWitnesses(cosigning: Cosigning, signal: AbortSignal): Promise<void> {
  const rounds = new Rounds(cosigning);
  while (!signal.aborted) {
    const isComplete = await rounds.ask(signal);
    const pause = isComplete ? EVERY_MS : Math.min(LONGEST_PAUSE_MS, EVERY_MS * 2 ** rounds.failures);
    await sleep(pause, undefined, { signal }).catch(() => {});
  }
}

/** What a witness has to say against a checkpoint; the size that it saw last, where it says so. */
class NotCosigned extends Error {
  override readonly name = 'NotCosigned';
  readonly status: number;
  readonly seen: number | undefined;

  constructor(status: number, text: string, seen?: number) {
    super(
      `${status}: ${text
        .replaceAll(/[^ -~]/g, ' ')
        .trim()
        .slice(0, 200)}`,
    );
    this.status = status;
    this.seen = seen;
  }
}

export class Rounds {
  readonly #cosigning: Cosigning;
  /** What each witness saw last, as far as we know. */
  readonly #seen = new Map<string, number>();
  #shown = 0;
  #kept = 0;
  failures = 0;

  constructor(cosigning: Cosigning) {
    this.#cosigning = cosigning;
  }

  /** One round: whether all witnesses have cosigned the log as it is. */
  async ask(signal: AbortSignal): Promise<boolean> {
    const { log, witnesses } = this.#cosigning;
    const { head } = log;
    if (head.size === 0 || (head.size === this.#shown && this.failures === 0)) return true;
    const asked = await Promise.all(witnesses.map((witness) => this.#cosignatureOf(witness, head, signal)));
    const lines = asked.filter((line) => line !== undefined);
    const isComplete = lines.length === witnesses.length;
    // Fewer than before are no reason to forget the others, unless that lasts.
    if (lines.length > 0 && (lines.length >= this.#kept || this.failures > 3)) {
      await log.keepCosigned({ size: head.size, checkpoint: withLines(head.checkpoint, lines) });
      this.#kept = lines.length;
    }
    this.#shown = head.size;
    this.failures = isComplete ? 0 : this.failures + 1;
    return isComplete;
  }

  async #cosignatureOf(witness: WitnessAddress, head: Head, signal: AbortSignal): Promise<SignatureLine | undefined> {
    const { name } = witness.key;
    try {
      return await this.#asked(witness, head, signal);
    } catch (error) {
      if (signal.aborted) return undefined;
      this.#cosigning.logger.warn({ witness: name, why: String(error) }, 'a witness did not cosign the log');
      if (error instanceof NotCosigned && contradicts(error, head)) this.#cosigning.alarm(alertOf(name, error, head));
      return undefined;
    }
  }

  /** Where it saw another size last than we thought, it says so, and is asked again from there. */
  async #asked(witness: WitnessAddress, head: Head, signal: AbortSignal): Promise<SignatureLine> {
    const { name } = witness.key;
    const before = this.#seen.get(name) ?? 0;
    try {
      return await this.#post(witness, head, Math.min(before, head.size), signal);
    } catch (error) {
      if (!(error instanceof NotCosigned) || error.seen === undefined || error.seen === before) throw error;
      this.#seen.set(name, error.seen);
      if (error.seen > head.size) throw error;
      return await this.#post(witness, head, error.seen, signal);
    }
  }

  async #post({ key, url }: WitnessAddress, head: Head, oldSize: number, signal: AbortSignal): Promise<SignatureLine> {
    const { log, logKey } = this.#cosigning;
    const proof = await log.proveGrowth(oldSize, head.size);
    const response = await fetch(`${url.replace(/\/$/, '')}/add-checkpoint`, {
      method: 'POST',
      body: Buffer.from(formatAddCheckpoint({ oldSize, proof, checkpoint: head.checkpoint })),
      redirect: 'error',
      signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_WITHIN_MS)]),
    });
    const text = await textOf(response);
    if (response.status === 409) throw new NotCosigned(409, text, sizeIn(text));
    if (response.status !== 200) throw new NotCosigned(response.status, text);
    const line = lineBy(key, text, head, logKey);
    if (line === undefined) throw new Error('it answered with no cosignature of its own');
    this.#seen.set(key.name, head.size);
    return line;
  }
}

/** Only what the witness signed counts, whatever else it sent. */
function lineBy(key: CosignerKey, text: string, head: Head, logKey: VerifierKey): SignatureLine | undefined {
  try {
    const cosigned = Buffer.concat([head.checkpoint, Buffer.from(text)]);
    if (openCheckpoint(cosigned, logKey, [key])?.cosignatures.length !== 1) return undefined;
    return parseNote(cosigned).signatures.find(({ name, id }) => name === key.name && id === key.id);
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}

function withLines(checkpoint: Uint8Array, lines: readonly SignatureLine[]): Uint8Array {
  const note = parseNote(checkpoint);
  return formatNote(note.text, [...note.signatures, ...lines]);
}

const sizeIn = (text: string): number | undefined => (/^[0-9]{1,15}\n$/.test(text) ? Number(text) : undefined);

async function textOf(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) throw new Error('it answered at length');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** It saw more than we have, or what we have is not what it saw: the log was rewritten, or goes on from a copy of before. */
const contradicts = ({ status, seen }: NotCosigned, { size }: Head): boolean =>
  status === 422 || (status === 409 && seen !== undefined && seen >= size);

function alertOf(witness: string, error: NotCosigned, { size }: Head): Alert {
  const time = Date.now() * 1_000;
  return {
    id: alertId('witness', 'contradiction', witness, String(Math.floor(time / HOUR))),
    time,
    node: '',
    detector: 'witness',
    rule: 'contradiction',
    title: 'A witness saw another past of our log',
    severity: 'critical',
    reason: `The witness ${witness} does not cosign the log of ${size} entries (${error.message}): the log was rewritten, or goes on from a copy that is older than what the witness saw.`,
    silencedBy: 'the log as it was, restored whole',
    attack: ['T1565.001', 'impact'],
    events: [],
    entity: undefined,
    loss: 0,
  };
}
