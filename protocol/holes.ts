/**
 * Holes in the chains of nodes, and the nodes' own word for them: an event `hushwatch.spool.damage` in a later batch.
 *
 * What a disk damaged before it was logged is gone, and no proof brings it back. The node that signs its losses elsewhere
 * signs this one too, so it counts as they do: as a number that is known to the last event, from the cumulative counters
 * on both sides. A hole that nobody owns up to is a problem; whether to believe the word is for who reads the report.
 */
import { recordOf } from './line.ts';
import type { EventName } from './vocabulary.ts';

export interface Hole {
  readonly node: string;
  /** Sequence numbers. */
  readonly first: number;
  readonly last: number;
  /** That were in it. */
  readonly events: number;
  readonly where: string;
  readonly message: string;
}

const DAMAGE: EventName = 'hushwatch.spool.damage';

export class Holes {
  readonly #found: Hole[] = [];
  readonly #owned = new Map<string, Set<number>>();

  add(hole: Hole): void {
    this.#found.push(hole);
  }

  /** Lines of a batch whose signature and hash hold; what they say may be anything. */
  hear(node: string, sequence: number, lines: readonly string[]): void {
    for (const line of lines) {
      const damaged = line.includes(DAMAGE) ? damagedIn(line) : undefined;
      if (damaged === undefined || damaged >= sequence) continue;
      const owned = this.#owned.get(node);
      if (owned === undefined) this.#owned.set(node, new Set([damaged]));
      else owned.add(damaged);
    }
  }

  get unexplained(): readonly Hole[] {
    return this.#found.filter((hole) => !this.#isOwned(hole));
  }

  /** Of a node, what it owned up to. */
  explained(node: string): { readonly batches: number; readonly events: number } {
    const holes = this.#found.filter((hole) => hole.node === node && this.#isOwned(hole));
    return {
      batches: holes.reduce((sum, { first, last }) => sum + last - first + 1, 0),
      events: holes.reduce((sum, { events }) => sum + events, 0),
    };
  }

  /** The numbers are the sender's: a hole is no longer than what was owned up to, or it is not walked through. */
  #isOwned({ node, first, last }: Hole): boolean {
    const owned = this.#owned.get(node);
    if (owned === undefined || last - first >= owned.size) return false;
    for (let sequence = first; sequence <= last; sequence++) if (!owned.has(sequence)) return false;
    return true;
  }
}

function damagedIn(line: string): number | undefined {
  const { event, 'hushwatch.batch.sequence': sequence } = recordOf(line) ?? {};
  return event === DAMAGE && typeof sequence === 'number' && Number.isSafeInteger(sequence) ? sequence : undefined;
}
