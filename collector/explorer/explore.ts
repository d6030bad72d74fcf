/** A search as the command asks for it: reads what the collector's directory holds, and gives lines. */
import { join } from 'node:path';
import type { Clear } from '../detectors/sigma/plan.ts';
import { loadRulepacks } from '../rulepacks.ts';
import { clearEverywhere, Rulesets } from '../rulesets.ts';
import { State } from '../state.ts';
import { describeHistogram, describeSaved, linesOf, saveAsDetector } from './command.ts';
import { search, type Found } from './search.ts';
import type { Span } from '../tables.ts';

export interface Exploration extends Span {
  readonly query: string;
  readonly page: number;
  readonly limit: number;
  readonly histogram: boolean;
  readonly json: boolean;
  readonly save: { readonly title: string; readonly level: string; readonly author: string } | undefined;
}

const EXAMPLES = 3;

export async function explore(home: string, asked: Exploration): Promise<readonly string[]> {
  const { limit, save, histogram, json, ...rest } = asked;
  const found = await search(home, {
    ...rest,
    pageSize: save !== undefined ? EXAMPLES : histogram && !json ? 1 : limit,
  });
  if (save !== undefined) return [savedFrom(home, found, save, json)];
  if (!histogram) return linesOf(found);
  return [json ? JSON.stringify(found) : describeHistogram(found).trimEnd()];
}

function savedFrom(home: string, found: Found, wanted: NonNullable<Exploration['save']>, json: boolean): string {
  const saved = saveAsDetector({
    ...{ ...wanted, query: found.query, nowUs: Date.now() * 1_000, found: found.events },
    mapping: loadRulepacks(join(home, 'packs')).rules.mapping,
    clear: clearNow(home),
  });
  return json ? JSON.stringify(saved) : describeSaved(saved).trimEnd();
}

function clearNow(home: string): Clear {
  using state = State.beside(home);
  return clearEverywhere(Rulesets.open(join(home, 'rulesets')), state.rulesInForce());
}
