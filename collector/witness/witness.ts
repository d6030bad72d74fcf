/**
 * The witness: says that it saw a checkpoint of a log, and that it continues all that it saw before. It remembers, for each log
 * that it was told to watch, the last checkpoint that it cosigned; that is on the disk before anybody hears of it, and nothing
 * but a longer one that provably contains it ever takes its place. A log that shows others another past gets nothing.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openCheckpoint, type VerifiedCheckpoint } from '#protocol/checkpoint.ts';
import { cosign, type CosigningKey } from '#protocol/cosignature.ts';
import { equalBytes, sha256Hex } from '#protocol/encoding.ts';
import { ProtocolError } from '#protocol/error.ts';
import { verifyConsistency } from '#protocol/merkle.ts';
import { formatNote, parseNote, signatureBy, type VerifierKey } from '#protocol/note.ts';
import { parseAddCheckpoint, type AddCheckpoint } from '#protocol/witness.ts';
import { clearScratch, realDisk, replaceFile, type Disk } from '../disk.ts';
import { lockDirectory } from '../lock.ts';

/** By its status in HTTP. */
export type Answer =
  | { readonly status: 200; readonly cosignature: string }
  /** The log is not where it says that we saw it last; we saw this size. */
  | { readonly status: 409; readonly size: number }
  | { readonly status: 400 | 403 | 404 | 422; readonly why: string };

const no = (status: 400 | 403 | 404 | 422, why: string): Answer => ({ status, why });

export interface WitnessOptions {
  readonly home: string;
  readonly key: CosigningKey;
  readonly logs: readonly VerifierKey[];
  readonly disk?: Disk;
  /** Seconds since 1970. */
  readonly now?: () => number;
}

export class Witness implements Disposable {
  readonly #options: WitnessOptions;
  readonly #disk: Disk;
  readonly #lock: Disposable;
  readonly #seen: Map<string, VerifiedCheckpoint>;
  /** One request after the other: what was seen last is compared and replaced as one. */
  #before: Promise<unknown> = Promise.resolve();

  private constructor(options: WitnessOptions, disk: Disk, lock: Disposable, seen: Map<string, VerifiedCheckpoint>) {
    this.#options = options;
    this.#disk = disk;
    this.#lock = lock;
    this.#seen = seen;
  }

  /** Throws when another process is at it, or when what it remembers is not what a log signed. */
  static async open(options: WitnessOptions): Promise<Witness> {
    const { home, logs, disk = realDisk } = options;
    await disk.makeDirectory(join(home, 'seen'));
    const lock = lockDirectory(home);
    try {
      await clearScratch(disk, join(home, 'tmp'));
      const seen = logs.map((log) => [log.name, lastOf(home, log)] as const);
      return new Witness(options, disk, lock, new Map(seen.flatMap(([name, last]) => (last ? [[name, last]] : []))));
    } catch (error) {
      lock[Symbol.dispose]();
      throw error;
    }
  }

  /** What was cosigned last, 0 before anything was. */
  sizeOf(origin: string): number {
    return this.#seen.get(origin)?.size ?? 0;
  }

  async addCheckpoint(request: Uint8Array): Promise<Answer> {
    const answer = this.#before.then(() => this.#add(request));
    this.#before = answer.catch(() => {});
    return await answer;
  }

  async #add(request: Uint8Array): Promise<Answer> {
    try {
      const asked = parseAddCheckpoint(request);
      const origin = parseNote(asked.checkpoint).text.split('\n', 1)[0] ?? '';
      const log = this.#options.logs.find(({ name }) => name === origin);
      if (log === undefined) return no(404, 'this log is not watched here');
      const checkpoint = openCheckpoint(asked.checkpoint, log);
      if (checkpoint === undefined) return no(403, "not signed by the log's key");
      return this.#judge(asked, checkpoint) ?? (await this.#cosign(asked, checkpoint, log));
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      return no(400, `${error.code}: ${error.message}`);
    }
  }

  /** Why not; undefined where nothing is against it. */
  #judge({ oldSize, proof }: AddCheckpoint, { origin, size, root }: VerifiedCheckpoint): Answer | undefined {
    const last = this.#seen.get(origin);
    if (oldSize > size) return no(400, 'the old size is larger than the new one');
    if (oldSize !== (last?.size ?? 0)) return { status: 409, size: last?.size ?? 0 };
    if (last === undefined || last.size === 0) return proof.length === 0 ? undefined : no(422, 'a proof from nothing');
    if (size === last.size && !equalBytes(root, last.root)) return { status: 409, size: last.size };
    if (verifyConsistency(last.size, size, proof, last.root, root)) return undefined;
    return no(422, 'the log is not the continuation of what was seen here');
  }

  async #cosign({ checkpoint }: AddCheckpoint, opened: VerifiedCheckpoint, log: VerifierKey): Promise<Answer> {
    const { home, key, now = () => Math.floor(Date.now() / 1_000) } = this.#options;
    const note = parseNote(checkpoint);
    const line = cosign(note.text, key, now());
    // Of what else stands on it anybody may have added more than we could read again.
    const kept = formatNote(note.text, [...note.signatures.filter((one) => one === signatureBy(note, log)), line]);
    await replaceFile(this.#disk, join(home, 'tmp'), fileOf(home, opened.origin), kept);
    this.#seen.set(opened.origin, opened);
    const cosigned = Buffer.from(formatNote(note.text, [line])).toString();
    return { status: 200, cosignature: cosigned.slice(cosigned.indexOf('\n\n') + 2) };
  }

  [Symbol.dispose](): void {
    this.#lock[Symbol.dispose]();
  }
}

/** Origins are whatever a log calls itself. */
const fileOf = (home: string, origin: string): string => join(home, 'seen', sha256Hex(Buffer.from(origin)));

function lastOf(home: string, log: VerifierKey): VerifiedCheckpoint | undefined {
  const file = fileOf(home, log.name);
  if (!existsSync(file)) return undefined;
  const last = openCheckpoint(readFileSync(file), log);
  // Beginning again would cosign a rewritten log.
  if (last === undefined) throw new Error(`${file} is not signed by the key of ${log.name}; restore it from a backup`);
  return last;
}
