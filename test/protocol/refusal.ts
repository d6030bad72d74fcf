/** How tests ask "what was refused, and with which code". */
import { ProtocolError } from '#protocol/error.ts';

/** The code of the ProtocolError that `run` throws, `accepted` if it throws none. Any other error is a failure. */
export function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof ProtocolError) return error.code;
    throw error;
  }
  return 'accepted';
}

export function* eachBitFlip(golden: Uint8Array): Generator<readonly [number, Uint8Array]> {
  for (let bit = 0; bit < golden.length * 8; bit++) {
    const flipped = Uint8Array.from(golden);
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    yield [bit, flipped];
  }
}
