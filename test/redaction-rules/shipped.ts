/** The rulesets that come with Hushwatch. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseRuleset, type Ruleset } from '../../redaction-rules/ruleset.ts';

const DIRECTORY = fileURLToPath(new URL('../../redaction-rules/rulesets/', import.meta.url));

export const SHIPPED: readonly { readonly file: string; readonly text: string; readonly ruleset: Ruleset }[] =
  readdirSync(DIRECTORY)
    .filter((name) => name.endsWith('.yaml'))
    .toSorted()
    .map((name) => {
      const text = readFileSync(DIRECTORY + name, 'utf8');
      return { file: DIRECTORY + name, text, ruleset: parseRuleset(text, name) };
    });
