/** How promises are written down: a few kinds of them, and a table of attributes. */
import { ATTRIBUTES, isAttributeName, type AttributeName } from '#protocol/vocabulary.ts';
import type { RulesetPromises } from './promises.ts';
import type { Promised } from './promises-of-values.ts';

export const words = (text: string): ReadonlySet<string> => new Set(text.split(/\s+/));

export const who = (family: string, letters = 16, listed: ReadonlySet<string> = new Set()): Promised => ({
  says: 'who',
  family,
  letters,
  listed,
});
export const about = (step: number): Promised => ({ says: 'about', step });
export const number = (family: string): Promised => ({ says: 'number of a person', family });
/** Noise of the size of a step, the same for an hour. */
export const roughly = (step: number): Promised => ({ says: 'roughly', step, scale: step, window: 3.6e9 });
export const nothing: Promised = { says: 'nothing' };

/** `promise name name …`, one family a line. */
export function table(rows: readonly (readonly [Promised, string])[]): RulesetPromises['attributes'] {
  const promised: Partial<Record<AttributeName, Promised>> = {};
  for (const [promise, names] of rows) {
    for (const name of names.split(/\s+/)) {
      if (!isAttributeName(name)) throw new Error(`no attribute ${name}`);
      promised[name] = promise;
    }
  }
  // Only what concerns no person may be in clear without being named here.
  for (const name of Object.keys(ATTRIBUTES).filter(isAttributeName)) {
    if (ATTRIBUTES[name].sensitivity === 'system') promised[name] ??= { says: 'clear' };
  }
  return promised;
}
