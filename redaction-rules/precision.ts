/**
 * Which of two rules tells more of one attribute, in words. A partial order: rules of the same transformation are compared
 * parameter by parameter; different transformations by what is left of a value; what cannot be ordered is `other`.
 *
 * Joining (scope, domain, epoch) is another question: `diff.ts` answers it.
 */
import type { RangeName } from './address.ts';
import { spanInWords } from './exposure.ts';
import type { PathTemplate } from './path.ts';
import type { Rule, TransformName, Values } from './rule.ts';

export type Order = 'same' | 'more' | 'less' | 'other';

export interface Judgement {
  readonly order: Order;
  readonly because: readonly string[];
}

/** How much of a value is left, roughly: only clear distances count, neighbours are `other`. */
const LEFT: Readonly<Record<TransformName, number>> = {
  drop: 0,
  count: 1,
  length: 1,
  noise: 2,
  pseudonym: 3,
  prefix: 4,
  argv: 4,
  path: 4,
  round: 5,
  allow: 5,
  'truncate-address': 5,
  mask: 7,
  keep: 9,
};

/** Is `is` more than `was`? */
export function moreOf(was: Rule, is: Rule): Judgement {
  if (was.do !== is.do) {
    const [before, now] = [LEFT[was.do], LEFT[is.do]];
    return { order: before === now ? 'other' : now > before ? 'more' : 'less', because: [] };
  }
  const parts = comparisons(was, is).filter(([order]) => order !== 'same');
  const orders = new Set(parts.map(([order]) => order));
  const [only] = orders;
  return {
    order: only === undefined ? 'same' : orders.size === 1 ? only : 'other',
    because: parts.map(([, words]) => words),
  };
}

type Part = readonly [order: Order, words: string];

/** Every parameter that decides how much is told; `more` where the later rule tells more. */
function comparisons(was: Rule, is: Rule): readonly Part[] {
  const parts: Part[] = [];
  if ('keep' in was && 'keep' in is) parts.push(inclusion('kept as they are', keptOf(was.keep), keptOf(is.keep)));
  if ('numbers' in was && 'numbers' in is) parts.push(size('digits of numbers', was.numbers, is.numbers));
  if ('words' in was && 'words' in is) {
    parts.push(
      inclusion('readable words', was.words, is.words),
      inclusion('readable options', was.options, is.options),
    );
  }
  if ('template' in was && 'template' in is) parts.push(...templates(was.template, is.template));
  if ('ipv4' in was && 'ipv4' in is)
    parts.push(size('bits of IPv4', was.ipv4, is.ipv4), size('bits of IPv6', was.ipv6, is.ipv6));
  if ('quantum' in was && 'quantum' in is) parts.push(size('quantum', was.quantum, is.quantum, 'less'));
  if ('scale' in was && 'scale' in is) {
    parts.push(
      size('scale of the noise', was.scale, is.scale, 'less'),
      size('window of the noise', was.window, is.window, 'less', spanInWords),
    );
  }
  if ('patterns' in was && 'patterns' in is) {
    parts.push(inclusion('masked patterns', new Set(was.patterns), new Set(is.patterns), 'less'));
  }
  if (was.do === 'allow' && is.do === 'allow')
    parts.push(inclusion('allowed values', textsOf(was.values), textsOf(is.values)));
  if (was.do === 'argv' && is.do === 'argv' && was.values !== is.values) {
    parts.push([is.values === 'pseudonym' ? 'more' : 'less', `values: ${was.values} -> ${is.values}`]);
  }
  if ('length' in was && 'length' in is) parts.push(size('letters of the pseudonym', was.length, is.length));
  return parts;
}

function templates(was: PathTemplate, is: PathTemplate): readonly Part[] {
  return [
    inclusion('readable paths', new Set(was.readable), new Set(is.readable)),
    inclusion('readable names', was.names, is.names),
    inclusion('readable endings', was.extensions, is.extensions),
  ];
}

const opposite: Readonly<Record<Order, Order>> = { same: 'same', more: 'less', less: 'more', other: 'other' };

function size(
  name: string,
  was: number,
  is: number,
  greaterMeans: 'more' | 'less' = 'more',
  words: (value: number) => string = String,
): Part {
  if (was === is) return ['same', ''];
  return [is > was ? greaterMeans : opposite[greaterMeans], `${name}: ${words(was)} -> ${words(is)}`];
}

function inclusion(
  name: string,
  was: ReadonlySet<string>,
  is: ReadonlySet<string>,
  largerMeans: 'more' | 'less' = 'more',
): Part {
  const gained = [...is].filter((one) => !was.has(one));
  const gone = [...was].filter((one) => !is.has(one));
  if (gained.length === 0 && gone.length === 0) return ['same', ''];
  const words = [...gained.slice(0, 5).map((one) => `+${one}`), ...gone.slice(0, 5).map((one) => `-${one}`)];
  const left = Math.max(0, gained.length - 5) + Math.max(0, gone.length - 5);
  const order =
    gained.length > 0 && gone.length > 0 ? 'other' : gained.length > 0 ? largerMeans : opposite[largerMeans];
  return [order, `${name}: ${words.join(' ')}${left > 0 ? ` and ${left} more` : ''}`];
}

const textsOf = (values: Values): ReadonlySet<string> =>
  new Set([...values.texts, ...values.ranges.map(([first, last]) => `${first}..${last}`)]);

const keptOf = (keep: Values | readonly RangeName[]): ReadonlySet<string> =>
  'texts' in keep ? textsOf(keep) : new Set(keep);
