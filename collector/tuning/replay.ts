/**
 * Evidence out of a collector's directory, in the order of the log, for whoever wants to see it again. Reads only: the collector may be
 * running meanwhile, and what it adds after the first look is not part of the replay.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { unpackLines } from '#protocol/batch.ts';
import { openCheckpoint } from '#protocol/checkpoint.ts';
import { decodeEntry } from '#protocol/entry.ts';
import { parseVerifierKey } from '#protocol/note.ts';
import { decodeEntries, entriesPath, TILE_WIDTH } from '#protocol/tiles.ts';
import { bodyPath } from '#protocol/verify.ts';
import { sha256Hex } from '#protocol/encoding.ts';
import type { EvidenceBatch } from '../detectors/detector.ts';
import type { State } from '../state.ts';
import { parseRecord } from '../watch.ts';

export interface Replayed {
  /** Undefined where the body is no longer there, or not what it was. */
  readonly batch: EvidenceBatch | undefined;
  /** Of the log, from 0 to 1. */
  readonly done: number;
}

/** Throws when the log is not signed by `log.pub`. */
export function* replay(home: string, state: State): Generator<Replayed> {
  const checkpoint = join(home, 'log/checkpoint');
  const opened = openCheckpoint(
    readFileSync(checkpoint),
    parseVerifierKey(readFileSync(join(home, 'log.pub'), 'utf8').trim()),
  );
  if (opened === undefined) throw new Error(`${checkpoint} is not signed by the key in log.pub`);
  for (let first = 0; first < opened.size; first += TILE_WIDTH) {
    for (const [place, entry] of bundleOf(home, first, opened.size).entries()) {
      const index = first + place;
      const batch = batchOf(home, state, index, entry);
      if (batch !== 'no batch') yield { batch, done: (index + 1) / opened.size };
    }
  }
}

/** The entry at that place of a log of that size. */
export function entryAt(home: string, index: number, size: number): Uint8Array {
  const first = Math.floor(index / TILE_WIDTH) * TILE_WIDTH;
  return bundleOf(home, first, size)[index - first] ?? new Uint8Array();
}

function bundleOf(home: string, first: number, size: number): readonly Uint8Array[] {
  const index = first / TILE_WIDTH;
  const width = Math.min(TILE_WIDTH, size - first);
  const partial = join(home, 'log', entriesPath({ index, width }));
  if (existsSync(partial)) return decodeEntries(readFileSync(partial), width);
  // The partial bundle goes when the full one is there.
  const full = readFileSync(join(home, 'log', entriesPath({ index, width: TILE_WIDTH })));
  return decodeEntries(full, TILE_WIDTH).slice(0, width);
}

function batchOf(
  home: string,
  state: State,
  logIndex: number,
  entry: Uint8Array,
): EvidenceBatch | undefined | 'no batch' {
  const decoded = decodeEntry(entry);
  if (decoded.kind !== 'batch') return 'no batch';
  const { statement } = decoded;
  const { node, role, cohort, sequence, body } = statement;
  const file = join(home, bodyPath(body.sha256));
  const bytes = existsSync(file) ? readFileSync(file) : undefined;
  if (bytes === undefined || sha256Hex(bytes) !== body.sha256) return undefined;
  const receivedAt = state.batch(logIndex)?.received ?? statement.time.last;
  const events = unpackLines(bytes, body.unpacked, statement.events).map(parseRecord);
  const restart = state.restart(node, sequence - 1);
  return { node, role, cohort, sequence, logIndex, receivedAt, statement, restart, events };
}
