/**
 * What a ruleset promises about each attribute, stated apart from its rules and looked at from outside: values go in, and
 * what comes out is judged. A rule that is made weaker breaks the promise, whoever thought that it looked fine.
 *
 * Rules are read for one thing only, namely what they declare readable: that is tried too, and judged all the same.
 */
import { ATTRIBUTES, type AttributeName } from '#protocol/vocabulary.ts';
import { compileRuleset, type PseudonymKeys, type Redactor } from '../../redaction-rules/compile.ts';
import { releasedOf } from '../../redaction-rules/examples.ts';
import type { Rule } from '../../redaction-rules/rule.ts';
import type { Ruleset } from '../../redaction-rules/ruleset.ts';
import { brokenCommand, brokenPlace } from './promises-of-paths.ts';
import {
  brokenAddress,
  brokenChoice,
  brokenName,
  brokenNoise,
  brokenNumber,
  brokenSecrecyOfNoise,
  brokenSilence,
  brokenStep,
  firstOf,
  lastPseudonym,
  NAME,
  textOf,
  type Promised,
  type Release,
} from './promises-of-values.ts';

export interface RulesetPromises {
  /** Microseconds. */
  readonly resolution: number;
  readonly epoch: number;
  readonly attributes: Readonly<Partial<Record<AttributeName, Promised>>>;
  /** Families that the nodes of a cohort have in common, and nobody else. */
  readonly shared?: ReadonlySet<string>;
}

const key = (byte: number): Buffer => Buffer.alloc(32, byte);
/** Two nodes of one cohort. */
const HERE: PseudonymKeys = { node: key(0x11), cohort: key(0x22), fleet: key(0x33) };
const THERE: PseudonymKeys = { node: key(0x44), cohort: key(0x22), fleet: key(0x33) };
const ELSEWHERE: PseudonymKeys = { node: key(0x55), cohort: key(0x66), fleet: key(0x33) };

/** What comes out for one attribute (of a text where it is a list: a list of it), in the first event that has the rule. */
function releaser(redactor: Redactor, ruleset: Ruleset, attribute: AttributeName): Release {
  const [event] = ruleset.events.keys();
  const isList = ATTRIBUTES[attribute].type === 'string[]';
  return (value, time = 0) => {
    const given = isList && typeof value === 'string' ? [value] : value;
    return releasedOf(redactor, event ?? '', { [attribute]: given }, time)[attribute];
  };
}

/** One kind of value, the same name in it, and the family that its pseudonym belongs to. */
type Role = readonly [family: string, value: unknown];

function rolesOf(promise: Promised): readonly Role[] {
  switch (promise.says) {
    case 'who':
      return [[promise.family, NAME]];
    case 'number of a person':
      return [[promise.family, 4711]];
    case 'address':
      return [[promise.family, '203.0.113.7']];
    case 'place':
      return [
        [promise.families.names, `/tmp/${NAME}`],
        [promise.families.users, `/home/${NAME}`],
      ];
    case 'command':
      return [
        [promise.families.names, [`/tmp/${NAME}`]],
        [promise.families.users, [`/home/${NAME}`]],
        [promise.families.users, [`${NAME}@localhost`]],
        ...(promise.values === 'gone' ? [] : ([[promise.families.values ?? '', [NAME]]] as const)),
        [promise.families.hosts ?? '', [`nobody@${NAME}`]],
      ];
    default:
      return [];
  }
}

/** The comparable part of what came out, so that pseudonyms of different length can be compared too. */
const markOf = (out: unknown): string | undefined =>
  typeof out === 'string' || Array.isArray(out) ? (lastPseudonym(out)?.slice(0, 8) ?? textOf(out)) : textOf(out);

/** Which pseudonym belongs to which family, over a whole ruleset. */
export type Marks = ReadonlyMap<string, string>;

function marksOf(release: Release, promise: Promised): Marks {
  return new Map(rolesOf(promise).map(([family, value]) => [markOf(release(value)) ?? '', family]));
}

export function marksOfAll(parts: Iterable<readonly [Ruleset, AttributeName, Promised]>): Marks {
  const marks = new Map<string, string>();
  for (const [ruleset, attribute, promise] of parts) {
    const release = releaser(compileRuleset(ruleset, HERE), ruleset, attribute);
    for (const [mark, family] of marksOf(release, promise)) marks.set(mark, family);
  }
  return marks;
}

/** The first promise about an attribute that a ruleset does not keep, in words. */
export function brokenPromise(
  ruleset: Ruleset,
  attribute: AttributeName,
  promises: RulesetPromises,
  marks: Marks,
): string | undefined {
  const promise = promises.attributes[attribute];
  if (promise === undefined) return undefined;
  const redactor = compileRuleset(ruleset, HERE);
  const release = releaser(redactor, ruleset, attribute);
  const [rules] = ruleset.events.values();
  const rule = rules?.get(attribute);
  if (rule === undefined) return 'has no rule';
  return (
    brokenValue(release, promise, rule) ??
    brokenTime(redactor, ruleset, promises) ??
    brokenJoin(
      release,
      (family) => {
        const keys = promises.shared?.has(family) === true ? ELSEWHERE : THERE;
        return releaser(compileRuleset(ruleset, keys), ruleset, attribute);
      },
      promise,
      promises,
      marks,
    )
  );
}

function brokenValue(release: Release, promise: Promised, rule: Rule): string | undefined {
  switch (promise.says) {
    case 'clear':
      return undefined;
    case 'nothing':
      return brokenSilence(release);
    case 'who':
      return brokenName(release, promise, rule);
    case 'number of a person':
      return brokenNumber(release, rule);
    case 'address':
      return brokenAddress(release, promise.readable);
    case 'place':
      return brokenPlace((path) => firstOf(release(path)), promise.places, rule);
    case 'command':
      return brokenCommand(release, promise, rule);
    case 'about':
      return brokenStep(release, promise.step);
    case 'roughly':
      return brokenNoise(release, promise);
    case 'how many':
      return textOf(release(['a', 'b'])) === textOf(release(['c', 'd'])) ? undefined : 'more than a number leaves';
    case 'one of':
      return brokenChoice(release, promise.listed, rule);
    case 'without': {
      const seen = promise.parts.find(([text, hidden]) => textOf(release(text)).includes(hidden));
      return seen && `${seen[1]} is readable`;
    }
  }
}

/** Events of one moment of the resolution have one time. */
function brokenTime(redactor: Redactor, ruleset: Ruleset, { resolution }: RulesetPromises): string | undefined {
  const [event] = ruleset.events.keys();
  const start = resolution * 1000;
  const times = [start, start + resolution - 1].map(
    (time) => redactor.redact({ name: event ?? '', time, attributes: {} })?.time,
  );
  return times[0] === times[1] ? undefined : 'times within the resolution can be told apart';
}

/** What may be compared: not on two nodes, not in two epochs, not with another family. */
function brokenJoin(
  here: Release,
  there: (family: string) => Release,
  promise: Promised,
  { epoch }: RulesetPromises,
  marks: Marks,
): string | undefined {
  if (promise.says === 'roughly' && brokenSecrecyOfNoise(here, there('noise'), promise))
    return 'two nodes have one noise';
  for (const [family, value] of rolesOf(promise)) {
    const mark = markOf(here(value)) ?? '';
    if (mark === '["…"]') continue;
    if (markOf(there(family)(value)) === mark) return `a ${family} can be compared across nodes`;
    const known = marks.get(mark);
    if (known !== undefined && known !== family) return `a ${family} can be compared with a ${known}`;
  }
  for (const [family, value] of rolesOf(promise)) {
    const mark = markOf(here(value, 0));
    if (mark !== '["…"]' && markOf(here(value, epoch)) === mark) return `a ${family} can be compared after an epoch`;
  }
  return undefined;
}
