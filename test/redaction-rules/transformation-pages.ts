/**
 * Reads the pages about transformations: each rule that a page shows is compiled, each row of the table under it is run,
 * and the page is written again with what came out. Keys are those that anybody may know, so that another implementation
 * can be held to the same tables.
 */
import { parse } from 'yaml';
import { ATTRIBUTES, isAttributeName, type AttributeName } from '#protocol/vocabulary.ts';
import { compileRuleset } from '../../redaction-rules/compile.ts';
import { EXAMPLE_KEYS, releasedOf } from '../../redaction-rules/examples.ts';
import { parseRuleset, RulesetError } from '../../redaction-rules/ruleset.ts';
import { spell } from '../../redaction-rules/spelling.ts';
import { accountsOf, noiseOf, told } from '../../redaction-rules/sums.ts';
import { eventWith, smallRulesetText } from './small-ruleset.ts';

/** A rule, then its table; or a rule, then why it is refused. */
const PART = /```yaml\n([^]*?)```\n\n((?:\|[^\n]*\n)+|```text\n[^]*?```\n)/g;

export function rewritten(page: string): string {
  return page.replace(PART, (_, yaml: string, rest: string) => {
    const shownBelow = rest.startsWith('|') ? table(yaml, rest) : `\`\`\`text\n${refusal(yaml)}\n\`\`\`\n`;
    return `\`\`\`yaml\n${yaml}\`\`\`\n\n${shownBelow}`;
  });
}

export const partsIn = (page: string): number => [...page.matchAll(PART)].length;

type Parts = Readonly<Record<string, unknown>>;

function partsOf(yaml: string): { readonly top: Parts; readonly attributes: Readonly<Record<string, Parts>> } {
  // oxlint-disable-next-line no-unsafe-type-assertion -- a page of ours; what is not a rule is refused by the reader of rules
  const { attributes = {}, ...top } = parse(yaml) as { attributes?: Record<string, Parts> };
  return { top, attributes };
}

const rulesetTextOf = (yaml: string): string => smallRulesetText(partsOf(yaml));

function refusal(yaml: string): string {
  try {
    parseRuleset(rulesetTextOf(yaml), 'rules.yaml');
    return 'not refused';
  } catch (error) {
    if (!(error instanceof RulesetError)) throw error;
    return error.problems.map((problem) => problem.replace(/^rules\.yaml:\d+:\d+: /, '')).join('\n');
  }
}

function table(yaml: string, text: string): string {
  const [head = '', line = '', ...rows] = text.trimEnd().split('\n');
  const { attributes } = partsOf(yaml);
  const ruleset = parseRuleset(rulesetTextOf(yaml), 'rules.yaml');
  const redactor = compileRuleset(ruleset, EXAMPLE_KEYS);
  const [attribute = ''] = Object.keys(attributes);
  const [account] = accountsOf(ruleset.sums);
  const run = ({ value, time }: Given): unknown => {
    if (account !== undefined)
      return told(account, Number(value), noiseOf(account, Math.floor(time / account.window), EXAMPLE_KEYS));
    if (!isAttributeName(attribute))
      return Number(/"time":(\d+)/.exec(redactor.redact(timed(Number(value)))?.line ?? '')?.[1]);
    return releasedOf(redactor, eventWith(attribute), { [attribute]: value }, time)[attribute];
  };
  const written = rows.map((row) => {
    const [what = '', given = ''] = cellsOf(row);
    return `| ${what} | ${given} | ${shown(run(readGiven(given, attribute)))} |`;
  });
  return `${[head, line, ...written].join('\n')}\n`;
}

const timed = (time: number): Parameters<ReturnType<typeof compileRuleset>['redact']>[0] => ({
  name: 'process.exit',
  time,
  attributes: {},
});

const cellsOf = (row: string): readonly string[] =>
  row
    .slice(1, -1)
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim());

interface Given {
  readonly value: unknown;
  readonly time: number;
}

/**
 * A value as a page writes it: JSON in backticks; `× 5,000` behind it says how often a text, or the items of a list, stand
 * behind each other, `alone` that it is the only item of a list, `as bytes` that the agent decoded them, `at 3,600 s` when
 * it happened.
 */
function readGiven(cell: string, attribute: string): Given {
  const [, code = '', how = ''] = /^`([^`]*)`(.*)$/.exec(cell) ?? [];
  const seconds = Number(/at ([0-9,]+) s/.exec(how)?.[1]?.replaceAll(',', '') ?? 0);
  const times = Number(/× ([0-9,]+)/.exec(how)?.[1]?.replaceAll(',', '') ?? 1);
  if (how.includes('as bytes')) {
    const text = Buffer.from(code.replaceAll(' ', ''), 'hex').toString('utf8');
    return { value: typeOf(attribute) === 'string[]' ? [text] : text, time: 0 };
  }
  const value = repeated(JSON.parse(code.replaceAll('\\|', '|')), times);
  return { value: how.includes('alone') ? [value] : value, time: seconds * 1e6 };
}

const typeOf = (attribute: string): string | undefined =>
  isAttributeName(attribute) ? ATTRIBUTES[attribute satisfies AttributeName].type : undefined;

function repeated(value: unknown, times: number): unknown {
  if (typeof value === 'string') return value.repeat(times);
  return Array.isArray(value) ? Array.from({ length: times }, () => value).flat() : value;
}

const MOST = 100;

/** As it stands in a released line, but for `…`, which is escaped there; what is too long for a page by its beginning, its end and its length. */
function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = spell(value).replaceAll('\\u2026', '…').replaceAll('|', '\\|');
  if (text.length <= MOST) return `\`${text}\``;
  const size = Array.isArray(value)
    ? `${value.length} items`
    : `${typeof value === 'string' ? value.length : 0} characters`;
  return `\`${text.slice(0, 24)}\` to \`${text.slice(-24)}\`, ${size}`;
}
