/** A collector's evidence, read beside it in the order of the log, as the detectors see it. Nothing is verified and nothing is written. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { unpackLines } from '#protocol/batch.ts';
import { decodeEntry } from '#protocol/entry.ts';
import { decodeEntries, entriesPath, TILE_WIDTH } from '#protocol/tiles.ts';
import { bodyPath } from '#protocol/verify.ts';
import type { EvidenceBatch } from '../../../collector/detectors/detector.ts';
import { parseRecord } from '../../../collector/watch.ts';

/** Of the collector whose data directory this is. */
export function* readEvidence(collector: string): Generator<EvidenceBatch> {
  const log = join(collector, 'log');
  const size = Number(readFileSync(join(log, 'checkpoint'), 'utf8').split('\n')[1]);
  for (let first = 0; first < size; first += TILE_WIDTH) {
    const width = Math.min(TILE_WIDTH, size - first);
    for (const [at, entry] of bundleOf(log, first / TILE_WIDTH, width).entries()) {
      const decoded = decodeEntry(entry);
      if (decoded.kind !== 'batch') continue;
      const { statement } = decoded;
      const { node, role, cohort, sequence } = statement;
      const body = readFileSync(join(collector, bodyPath(statement.body.sha256)));
      const events = unpackLines(body, statement.body.unpacked, statement.events).map(parseRecord);
      const logIndex = first + at;
      yield { node, role, cohort, sequence, logIndex, receivedAt: statement.time.last, statement, events };
    }
  }
}

/** The whole bundle where there is one: a partial one may be gone as soon as it is full. */
function bundleOf(log: string, index: number, width: number): readonly Uint8Array[] {
  const whole = join(log, entriesPath({ index, width: TILE_WIDTH }));
  if (existsSync(whole)) return decodeEntries(readFileSync(whole), TILE_WIDTH).slice(0, width);
  return decodeEntries(readFileSync(join(log, entriesPath({ index, width }))), width);
}
