/**
 * A change that somebody thinks of, as a text: knobs (`detectors:` of `collector.yaml`), suppressions (`suppressions:`), or Sigma
 * documents: rules, which take the place of those with their id, and filters, which narrow. Read, never written anywhere: to put it
 * in force is git's business, and a person's.
 */
import { parseDocument } from 'yaml';
import { parseConfig } from '../config.ts';
import type { ReleasedRecord } from '../detectors/detector.ts';
import { isTuned, type Tuning } from '../detectors/knobs.ts';
import { SigmaError } from '../detectors/sigma/error.ts';
import { and, type Expression } from '../detectors/sigma/expression.ts';
import { applyFilters, filtersOf } from '../detectors/sigma/filter.ts';
import { compileFor, planRules, type Clear } from '../detectors/sigma/plan.ts';
import { parseSigmaFile } from '../detectors/sigma/parse.ts';
import type { Matcher } from '../detectors/sigma/compile.ts';
import type { Mapping } from '../detectors/sigma/mapping.ts';
import type { SigmaCorrelation, SigmaDocument, SigmaFilter, SigmaRule } from '../detectors/sigma/rule.ts';
import type { InForce } from '../in-force.ts';
import { parseSuppressions } from '../suppressions.ts';
import { ConfigError } from '../../config/yaml.ts';

export const MAX_CHANGE = 32_768;

export interface Change {
  readonly candidate: InForce;
  /** Where the text belongs: `collector.yaml`, or a file of a pack. */
  readonly belongs: string;
  /** Rules that filters of the change narrow, by what the filters ask. */
  readonly narrowed: readonly SigmaRule[];
  /** Rules that nobody had before. */
  readonly added: readonly SigmaRule[];
}

const FILE = 'change.yml';

/** Throws ConfigError or SigmaError, with the line of the text. */
export function changeOf(text: string, now: InForce, nowUs: number): Change {
  if (text.length > MAX_CHANGE) throw new ConfigError(`a change has at most ${MAX_CHANGE} characters`);
  const kind = kindOf(text);
  if (kind === 'knobs')
    return {
      candidate: { ...now, tuning: knobsOver(now.tuning, text) },
      belongs: 'collector.yaml',
      narrowed: [],
      added: [],
    };
  if (kind === 'suppressions') {
    const added = parseSuppressions(text, FILE, nowUs);
    const kept = now.suppressions.filter(({ id }) => !added.some((each) => each.id === id));
    return {
      candidate: { ...now, suppressions: [...kept, ...added] },
      belongs: 'suppressions.yaml',
      narrowed: [],
      added: [],
    };
  }
  return rulesOver(text, now);
}

function kindOf(text: string): 'knobs' | 'suppressions' | 'rules' {
  const document: unknown = parseFirst(text);
  const has = (key: string): boolean =>
    typeof document === 'object' && document !== null && Object.hasOwn(document, key);
  if (!has('title') && has('detectors')) return 'knobs';
  return !has('title') && has('suppressions') ? 'suppressions' : 'rules';
}

/** Only to see what it is; whoever reads it in earnest says what is wrong with it. */
function parseFirst(text: string): unknown {
  const first = text.split(/^---$/m).find((part) => part.trim() !== '') ?? '';
  const document = parseDocument(first, { uniqueKeys: false });
  return document.errors.length > 0 ? undefined : document.toJS({ maxAliasCount: 0 });
}

function knobsOver(now: Tuning, text: string): Tuning {
  const given = parseConfig(text, `/${FILE}`).detectors;
  const names = [...Object.keys(now), ...Object.keys(given)].filter(isTuned);
  return Object.fromEntries(names.map((name) => [name, { ...now[name], ...given[name] }]));
}

function rulesOver(text: string, now: InForce): Change {
  const documents = parseSigmaFile(text, FILE);
  const before = now.rulepacks.rules;
  const changed = documents.filter(isRule);
  const filters = documents.filter(isFilter);
  const rules = byId([...before.rules, ...changed]);
  const correlations = byId([...before.correlations, ...documents.filter(isCorrelation)]);
  const narrowed = before.rules.flatMap((rule) => narrowingOf(rule, changed, filters) ?? []);
  const pack = { ...before, rules: applyFilters(rules, filters), correlations };
  const candidate = { ...now, rulepacks: { ...now.rulepacks, rules: pack } };
  const known = new Set(before.rules.map(({ id }) => id));
  const added = pack.rules.filter(({ id }) => !known.has(id));
  return { candidate, belongs: 'a file NAME.yml of a pack in packs/', narrowed, added };
}

const isRule = (document: SigmaDocument): document is SigmaRule => document.kind === 'rule';
const isFilter = (document: SigmaDocument): document is SigmaFilter => document.kind === 'filter';
const isCorrelation = (document: SigmaDocument): document is SigmaCorrelation => document.kind === 'correlation';

const byId = <T extends { readonly id: string }>(all: readonly T[]): readonly T[] => [
  ...new Map(all.map((each) => [each.id, each])).values(),
];

/** The rule with what filters ask in place of what it asks. */
function narrowingOf(
  rule: SigmaRule,
  changed: readonly SigmaRule[],
  filters: readonly SigmaFilter[],
): SigmaRule | undefined {
  const own = filtersOf(rule, filters);
  if (own.length === 0 || changed.some(({ id }) => id === rule.id)) return undefined;
  const condition: Expression<string | undefined> = and(own.map((filter) => filter.condition));
  return { ...rule, condition };
}

/**
 * Rules that ran on nodes left their matches in the evidence. A filter can be asked of these afterwards, and a rule that is new of
 * all events, as far as what they read leaves; where that leaves changed, in part as pseudonyms, say, they may match less than they
 * would on the node.
 */
export class Afterwards {
  readonly #mapping: Mapping;
  readonly #narrowed: readonly SigmaRule[];
  readonly #added: readonly SigmaRule[];
  readonly #leavingFor: (ruleset: string) => Clear;
  readonly #asked = new Map<string, Record<'narrowed' | 'added', AskedAfterwards>>();
  #last: { readonly record: ReleasedRecord; readonly matched: ReadonlySet<string> } | undefined;

  /** `leavingFor`: all that leaves under a ruleset, in whatever form. */
  constructor({ mapping, narrowed, added }: ToAsk, leavingFor: (ruleset: string) => Clear) {
    this.#mapping = mapping;
    this.#narrowed = narrowed;
    this.#added = added;
    this.#leavingFor = leavingFor;
  }

  readonly isStillMatched = (ruleset: string, id: string, record: ReleasedRecord): boolean => {
    const { matcher, ids } = this.#under(ruleset).narrowed;
    if (!ids.has(id)) return true;
    if (this.#last?.record !== record)
      this.#last = { record, matched: new Set(matcher.match({ name: record.event, attributes: record })) };
    return this.#last.matched.has(id);
  };

  readonly alsoMatched = (ruleset: string, record: ReleasedRecord): readonly string[] => {
    const { matcher, ids } = this.#under(ruleset).added;
    return ids.size === 0 ? [] : matcher.match({ name: record.event, attributes: record });
  };

  #under(ruleset: string): Record<'narrowed' | 'added', AskedAfterwards> {
    const known = this.#asked.get(ruleset);
    if (known !== undefined) return known;
    const leaving = this.#leavingFor(ruleset);
    const made = { narrowed: this.#askable(this.#narrowed, leaving), added: this.#askable(this.#added, leaving) };
    this.#asked.set(ruleset, made);
    return made;
  }

  #askable(all: readonly SigmaRule[], leaving: Clear): AskedAfterwards {
    const plan = planRules(all, this.#mapping, leaving);
    const rules = plan.flatMap(({ rule, runs }) => (runs === 'collector' ? [rule] : []));
    const matcher = compileFor('collector', rules, this.#mapping, leaving);
    return { matcher, ids: new Set(rules.map(({ id }) => id)) };
  }

  /** Ids of rules that can be asked under all of these. */
  triedUnder(rulesets: readonly string[]): ReadonlySet<string> {
    const each = rulesets.map((ruleset) => {
      const { narrowed, added } = this.#under(ruleset);
      return narrowed.ids.union(added.ids);
    });
    const [first = new Set<string>(), ...others] = each;
    return others.reduce<ReadonlySet<string>>((common, ids) => common.intersection(ids), first);
  }
}

export interface ToAsk extends Pick<Change, 'narrowed' | 'added'> {
  readonly mapping: Mapping;
}

interface AskedAfterwards {
  readonly matcher: Matcher;
  /** Of the rules that can be asked. */
  readonly ids: ReadonlySet<string>;
}

/** For the page: what is wrong with a change, in a line. */
export const isMistake = (error: unknown): error is Error =>
  error instanceof ConfigError || error instanceof SigmaError;
