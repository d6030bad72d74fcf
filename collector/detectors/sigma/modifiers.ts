/**
 * One line of a selection, `field|modifier|modifier: value or list`, becomes an expression.
 *
 * Modifiers apply from left to right, as they are written. A list means "one of", with `all` "all of".
 */
import { parseNetwork } from './address.ts';
import type { Node } from './document.ts';
import {
  and,
  not,
  or,
  type Anchoring,
  type Comparison,
  type DatePart,
  type Expression,
  type Test,
} from './expression.ts';
import { DASHES, literalOf, parsePattern, widen, withAnyDash, withPlaceholders, type Pattern } from './pattern.ts';
import { problemOf } from './regex.ts';
import { didYouMean } from '../../../config/suggest.ts';

/** The name of a field; undefined for values searched for anywhere in the event. */
export type FieldName = string | undefined;

/** A value on its way through the modifiers. */
type Draft =
  | {
      readonly is: 'text';
      readonly pattern: Pattern;
      /** As written, until a modifier changed it. */ readonly raw?: string;
    }
  | { readonly is: 'bytes'; readonly bytes: Buffer }
  | { readonly is: 'field'; readonly other: string; readonly anchoring: Anchoring }
  | { readonly is: 'null' }
  | { readonly is: 'done'; readonly test: Test<FieldName>; readonly hint?: string };

type Fail = (problem: string) => never;

const DATE_PARTS: readonly DatePart[] = ['minute', 'hour', 'day', 'week', 'month', 'year'];
/** Long spellings are those of pySigma. */
const FLAGS: Readonly<Record<string, string>> = {
  i: 'i',
  ignorecase: 'i',
  m: 'm',
  multiline: 'm',
  s: 's',
  dotall: 's',
};
const MODIFIERS = [
  ...DATE_PARTS,
  ...Object.keys(FLAGS),
  ...[
    'all',
    'base64',
    'base64offset',
    'cased',
    'cidr',
    'contains',
    'endswith',
    'exists',
    'expand',
    'fieldref',
    'gt',
    'gte',
  ],
  ...['lt', 'lte', 'neq', 're', 'startswith', 'utf16', 'utf16be', 'utf16le', 'wide', 'windash'],
];

export function compileItem(
  field: FieldName,
  modifiers: readonly string[],
  value: Node,
  failAt: (line: number, problem: string) => never,
): Expression<FieldName> {
  const fail: Fail = (problem) => failAt(value.line, problem);
  if (value.kind === 'map') return fail('expected a value or a list of values, not keys');
  const items = value.kind === 'list' ? value.items : [value];
  if (items.length === 0) return fail('an empty list matches nothing; give a value or remove the line');
  const choices = items.map((item) => {
    let drafts = [draftOf(item, failAt)];
    modifiers.forEach((modifier, i) => {
      const failHere: Fail = (problem) => failAt(item.line, `${modifier}: ${problem}`);
      drafts = drafts.flatMap((draft) => apply(modifier, draft, modifiers[i - 1], failHere));
    });
    return or(drafts.map((draft) => finish(field, draft, modifiers)));
  });
  const joined = modifiers.includes('all') ? and(choices) : or(choices);
  return modifiers.includes('neq') ? not(joined) : joined;
}

function draftOf(item: Node, failAt: (line: number, problem: string) => never): Draft {
  if (item.kind !== 'scalar') return failAt(item.line, 'expected a value, not a list or keys inside a list');
  const { value } = item;
  if (value === null) return { is: 'null' };
  if (typeof value === 'string') return { is: 'text', pattern: parsePattern(value), raw: value };
  const text = typeof value === 'number' && !Number.isSafeInteger(value) ? item.text : String(value);
  return { is: 'text', pattern: [text], raw: text };
}

function apply(modifier: string, draft: Draft, before: string | undefined, fail: Fail): readonly Draft[] {
  if (isDatePart(modifier)) return [datePart(modifier, draft, fail)];
  const flag = FLAGS[modifier];
  if (flag !== undefined) return [withFlag(draft, flag, before, fail)];
  switch (modifier) {
    case 'all':
    case 'cased':
    case 'neq':
      return [draft];
    case 'contains':
      return [anchored(draft, 'any', fail)];
    case 'startswith':
      return [anchored(draft, 'start', fail)];
    case 'endswith':
      return [anchored(draft, 'end', fail)];
    case 'exists':
      return [existence(draft, fail)];
    case 're':
      return [regex(rawOf(draft, fail), '', fail)];
    case 'cidr':
      return [network(draft, fail)];
    case 'lt':
    case 'lte':
    case 'gt':
    case 'gte':
      return [comparison(modifier, draft, fail)];
    case 'base64':
      return [textDraft(bytesOf(draft, fail).toString('base64'))];
    case 'base64offset':
      return base64Offsets(bytesOf(draft, fail));
    case 'utf16':
      return [{ is: 'bytes', bytes: Buffer.concat([Buffer.from([0xff, 0xfe]), utf16(draft, fail)]) }];
    case 'utf16le':
    case 'wide':
      return [{ is: 'bytes', bytes: utf16(draft, fail) }];
    case 'utf16be':
      return [{ is: 'bytes', bytes: utf16(draft, fail).swap16() }];
    case 'windash':
      return [windash(draft, fail)];
    case 'fieldref':
      return [{ is: 'field', other: rawOf(draft, fail), anchoring: 'whole' }];
    case 'expand':
      if (draft.is !== 'text') return fail('only text can hold %placeholders%');
      return [{ is: 'text', pattern: withPlaceholders(draft.pattern) }];
    default:
      return fail(`no such modifier${didYouMean(modifier, MODIFIERS) || '; remove it, or check the spelling'}`);
  }
}

function finish(field: FieldName, draft: Draft, modifiers: readonly string[]): Expression<FieldName> {
  const cased = modifiers.includes('cased');
  return { kind: 'test', field, test: testOf(field, draft, cased) };
}

function testOf(field: FieldName, draft: Draft, cased: boolean): Test<FieldName> {
  switch (draft.is) {
    case 'text':
      // A keyword is looked for inside the text of the event.
      return { is: 'text', pattern: field === undefined ? widen(draft.pattern, true, true) : draft.pattern, cased };
    case 'bytes':
      return { is: 'text', pattern: [draft.bytes.toString('latin1')], cased };
    case 'field':
      return { is: 'field', other: draft.other, anchoring: draft.anchoring, cased };
    case 'null':
      return { is: 'null' };
    case 'done':
      return draft.test;
  }
}

const textDraft = (text: string): Draft => ({ is: 'text', pattern: [text] });

function anchored(draft: Draft, anchoring: Exclude<Anchoring, 'whole'>, fail: Fail): Draft {
  if (draft.is === 'field') return { ...draft, anchoring };
  if (draft.is === 'bytes') return anchored(textDraft(draft.bytes.toString('latin1')), anchoring, fail);
  if (draft.is === 'done' && draft.test.is === 'regex') return anchoredRegex(draft.test, anchoring, fail);
  if (draft.is !== 'text') return fail('needs text');
  return { is: 'text', pattern: widen(draft.pattern, anchoring !== 'start', anchoring !== 'end') };
}

/** A search finds the pattern anywhere already. */
function anchoredRegex(test: Extract<Test<never>, { is: 'regex' }>, anchoring: Anchoring, fail: Fail): Draft {
  const { source, flags } = test;
  if (anchoring === 'start') return regex(`\\A(?:${source})`, flags, fail);
  if (anchoring === 'end') return regex(`(?:${source})\\z`, flags, fail);
  return { is: 'done', test };
}

function rawOf(draft: Draft, fail: Fail): string {
  return draft.is === 'text' && draft.raw !== undefined ? draft.raw : fail('must be the first modifier and needs text');
}

function bytesOf(draft: Draft, fail: Fail): Buffer {
  if (draft.is === 'bytes') return draft.bytes;
  const text = draft.is === 'text' ? literalOf(draft.pattern) : undefined;
  return text === undefined ? fail('cannot encode wildcards; write the value without * and ?') : Buffer.from(text);
}

function utf16(draft: Draft, fail: Fail): Buffer {
  const text = draft.is === 'text' ? literalOf(draft.pattern) : undefined;
  return text === undefined
    ? fail('cannot encode wildcards; write the value without * and ?')
    : Buffer.from(text, 'utf16le');
}

/** The text as it looks inside longer base64, at each of the three alignments, without the characters neighbours decide. */
function base64Offsets(bytes: Buffer): readonly Draft[] {
  const from = [0, 2, 3];
  const until = [undefined, -3, -2];
  return [0, 1, 2].map((offset) => {
    const encoded = Buffer.concat([Buffer.alloc(offset, 0x20), bytes]).toString('base64');
    return textDraft(encoded.slice(from[offset], until[(bytes.length + offset) % 3]));
  });
}

function windash(draft: Draft, fail: Fail): Draft {
  if (draft.is !== 'text') return fail(`needs text; it stands for any of ${DASHES.join(' ')} before a word`);
  return { is: 'text', pattern: withAnyDash(draft.pattern) };
}

function existence(draft: Draft, fail: Fail): Draft {
  const raw = rawOf(draft, fail).toLowerCase();
  if (raw !== 'true' && raw !== 'false') return fail('needs true or false');
  return { is: 'done', test: { is: 'exists', expected: raw === 'true' } };
}

function network(draft: Draft, fail: Fail): Draft {
  const raw = rawOf(draft, fail);
  const parsed = parseNetwork(raw);
  if (parsed === undefined) return fail(`\`${raw}\` is not a network; write it like 10.0.0.0/8 or fe80::/10`);
  return { is: 'done', test: { is: 'cidr', network: parsed } };
}

function comparison(how: Comparison, draft: Draft, fail: Fail): Draft {
  if (draft.is === 'done' && draft.test.is === 'date') return { is: 'done', test: { ...draft.test, how } };
  return { is: 'done', test: { is: 'compare', how, number: numberOf(draft, fail) } };
}

function datePart(part: DatePart, draft: Draft, fail: Fail): Draft {
  return { is: 'done', test: { is: 'date', part, how: 'eq', number: numberOf(draft, fail) } };
}

function numberOf(draft: Draft, fail: Fail): number {
  const raw = rawOf(draft, fail);
  return /^-?\d+(\.\d+)?$/.test(raw) ? Number(raw) : fail('needs a number');
}

function withFlag(draft: Draft, flag: string, before: string | undefined, fail: Fail): Draft {
  const follows = before !== undefined && (before === 're' || before in FLAGS);
  if (!follows || draft.is !== 'done' || draft.test.is !== 'regex') return fail('only follows `re`');
  return regex(draft.test.source, draft.test.flags + flag, fail);
}

function regex(source: string, flags: string, fail: Fail): Draft {
  const test = { is: 'regex', source, flags } as const;
  const problem = problemOf(test);
  return problem === undefined ? { is: 'done', test } : fail(problem);
}

const isDatePart = (modifier: string): modifier is DatePart => DATE_PARTS.some((part) => part === modifier);
