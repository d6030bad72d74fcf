/** What is other between two line-ups, in words: what is new, what is gone, what is louder and what quieter. */
import { changesBetween, type ItemChange, type Lineup } from '#protocol/change.ts';
import { isTuned, KNOBS, type Knob } from '../detectors/knobs.ts';
import { spelled } from '../detectors/sigma/digest.ts';
import type { Mapping } from '../detectors/sigma/mapping.ts';
import { LEVELS, type SigmaCorrelation, type SigmaRule } from '../detectors/sigma/rule.ts';
import type { Suppression } from '../detectors/suppressions.ts';
import { lineupOf, nameOf, type InForce } from '../in-force.ts';

export const EFFECTS = ['louder', 'quieter', 'other', 'the same'] as const;

export interface Difference extends ItemChange {
  /** What it does to how often somebody is called; `other` where only a back-test can tell. */
  readonly effect: (typeof EFFECTS)[number];
  readonly says: string;
}

type Said = Pick<Difference, 'effect' | 'says'>;
type Sigma = SigmaRule | SigmaCorrelation;

export function diffInForce(before: InForce, after: InForce, nowUs: number): readonly Difference[] {
  const [from, to] = [lineupOf(before, nowUs), lineupOf(after, nowUs)];
  const ended = new Set(before.suppressions.filter(({ expires }) => expires <= nowUs).map(nameOf));
  return changesBetween(from, to, (name) => ended.has(name)).map((item) => ({
    ...item,
    ...saidOf(item, before, after, from, to),
  }));
}

function saidOf({ kind, name }: ItemChange, before: InForce, after: InForce, from: Lineup, to: Lineup): Said {
  switch (kind) {
    case 'rule':
    case 'correlation':
      return sigmaSaid(sigmaIn(before, name), sigmaIn(after, name));
    case 'knob':
      return knobSaid(name, from.get(`knob ${name}`), to.get(`knob ${name}`));
    case 'mapping':
      return mappingSaid(before.rulepacks.rules.mapping, after.rulepacks.rules.mapping);
    case 'suppression':
      return suppressionSaid(suppressionIn(before, name), suppressionIn(after, name));
  }
}

const sigmaIn = ({ rulepacks: { rules } }: InForce, id: string): Sigma | undefined =>
  rules.rules.find((each) => each.id === id) ?? rules.correlations.find((each) => each.id === id);
const suppressionIn = ({ suppressions }: InForce, name: string): Suppression | undefined =>
  suppressions.find((each) => nameOf(each) === name);

const where = ({ title, level, file, line }: Sigma): string => `${title} (${level}, ${file}:${line})`;

function sigmaSaid(before: Sigma | undefined, after: Sigma | undefined): Said {
  if (after === undefined) return { effect: 'quieter', says: `gone: ${before === undefined ? '?' : where(before)}` };
  if (before === undefined) return { effect: 'louder', says: `new: ${where(after)}` };
  const parts = [
    levelSaid(before, after),
    before.kind === 'rule' ? conditionSaid(before, after) : countSaid(before, after),
  ];
  const said = parts.filter((part) => part !== undefined);
  if (said.length === 0) return { effect: 'the same', says: `${where(after)}: other words, the same matches` };
  const effects = new Set(said.map(({ effect }) => effect));
  const [effect = 'other'] = effects;
  return {
    effect: effects.size === 1 ? effect : 'other',
    says: `${where(after)}: ${said.map(({ says }) => says).join('; ')}`,
  };
}

function levelSaid({ level: from }: Sigma, { level: to }: Sigma): Said | undefined {
  if (from === to) return undefined;
  return {
    effect: LEVELS.indexOf(to) > LEVELS.indexOf(from) ? 'louder' : 'quieter',
    says: `${from} before, ${to} now`,
  };
}

/** One more of "all of these" matches less; so does one less of "any of these". */
function conditionSaid(before: Sigma, after: Sigma): Said | undefined {
  if (before.kind !== 'rule' || after.kind !== 'rule') return { effect: 'other', says: 'a rule became a correlation' };
  if (spelled(before.logsource) !== spelled(after.logsource))
    return { effect: 'other', says: 'looks at another log source' };
  const [from, to] = [before.condition, after.condition];
  if (spelled(from) === spelled(to)) return undefined;
  if (isWithin(partsOf(from, 'and'), partsOf(to, 'and')))
    return { effect: 'quieter', says: 'asks for more than before' };
  if (isWithin(partsOf(to, 'and'), partsOf(from, 'and')))
    return { effect: 'louder', says: 'asks for less than before' };
  if (isWithin(partsOf(from, 'or'), partsOf(to, 'or'))) return { effect: 'louder', says: 'finds more than before' };
  if (isWithin(partsOf(to, 'or'), partsOf(from, 'or'))) return { effect: 'quieter', says: 'finds less than before' };
  return { effect: 'other', says: 'asks for something else; a back-test tells what that does' };
}

function partsOf(condition: SigmaRule['condition'], kind: 'and' | 'or'): ReadonlySet<string> {
  return new Set((condition.kind === kind ? condition.of : [condition]).map(spelled));
}

const isWithin = (part: ReadonlySet<string>, whole: ReadonlySet<string>): boolean => part.isSubsetOf(whole);

function countSaid(before: Sigma, after: Sigma): Said | undefined {
  const wordless = { title: '', description: '', level: '', file: '', line: 0, tags: [] };
  const counted = (each: Sigma): string => spelled({ ...each, ...wordless });
  return counted(before) === counted(after)
    ? undefined
    : { effect: 'other', says: 'counts something else, and begins anew' };
}

/** `rate.deviations`. */
function knobSaid(name: string, from: string | undefined, to: string | undefined): Said {
  const [detector = '', knob = ''] = name.split('.');
  const table: Readonly<Record<string, Knob>> = isTuned(detector) ? KNOBS[detector] : {};
  const { more = name === 'silence.silence_seconds' ? 'quieter' : 'other', says = '' } = table[knob] ?? {};
  const moved = `${from ?? 'unset'} before, ${to ?? 'unset'} now${says === '' ? '' : ` (${says.replace(/\.$/, '')})`}`;
  // 0 is no budget at all.
  const size = (text: string | undefined): number =>
    name === 'stories.alerts_per_day' && text === '0' ? Infinity : Number(text);
  const less = more === 'louder' ? 'quieter' : more === 'quieter' ? 'louder' : 'other';
  return { effect: size(to) > size(from) ? more : less, says: moved };
}

function mappingSaid(before: Mapping, after: Mapping): Said {
  const tables = ['fields', 'placeholders', 'resolved'] as const;
  const moved = tables.flatMap((table) => {
    const [from, to] = [before[table], after[table]] as [ReadonlyMap<string, unknown>, ReadonlyMap<string, unknown>];
    const names = new Set([...from.keys(), ...to.keys()]);
    return [...names].filter((name) => spelled(from.get(name)) !== spelled(to.get(name)));
  });
  const routes = spelled(before.routes) === spelled(after.routes) ? [] : ['log sources'];
  return { effect: 'other', says: `read from elsewhere: ${[...moved, ...routes].join(', ')}` };
}

function suppressionSaid(before: Suppression | undefined, after: Suppression | undefined): Said {
  const told = ({ id, owner, reason, expires }: Suppression): string =>
    `${id} until ${new Date(expires / 1_000).toISOString().slice(0, 10)}, for which ${owner} answers: ${reason}`;
  if (after === undefined) return { effect: 'louder', says: before === undefined ? '?' : told(before) };
  return { effect: before === undefined ? 'quieter' : 'other', says: told(after) };
}

const SIGNS = { added: '+', removed: '-', changed: '~', expired: '-' } as const;

export function describeDiff(differences: readonly Difference[]): string {
  if (differences.length === 0) return 'nothing is other\n';
  const lines = EFFECTS.flatMap((effect) => {
    const rows = differences.filter((each) => each.effect === effect);
    const title = effect === 'other' ? 'other, which way only a back-test tells' : effect;
    return rows.length === 0
      ? []
      : [
          `${title}: ${rows.length}`,
          ...rows.map(({ how, kind, name, says }) => `  ${SIGNS[how]} ${kind} ${name}\n      ${says}`),
        ];
  });
  return `${lines.join('\n')}\n`;
}
