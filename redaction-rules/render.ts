/**
 * From a rule to what stands in a released line: the JSON of what leaves of a value.
 *
 * What was dear to work out is remembered: paths and masked texts whole, names by their pseudonyms, command lines argument by
 * argument. Every memory is bounded and belongs to one epoch; none of them can be seen in what is rendered.
 */
import { ATTRIBUTES, type AttributeName, type Value } from '#protocol/vocabulary.ts';
import type { Rule } from './rule.ts';
import { spell } from './spelling.ts';
import { remembering } from './texts.ts';
import { compileArguments, compileTransform, MAX_ITEMS, type Apply, type Keyed } from './transform.ts';

/** JSON of what is released of a value, `''` if nothing is, undefined if it is of the wrong type. */
export type Render = (value: unknown, time: number) => string | undefined;

/** What is rendered of one epoch, so that rules which render alike remember together. */
export interface Renders extends Keyed {
  readonly texts: Map<string, (text: string) => string>;
}

const json = (value: Value | undefined): string => (value === undefined ? '' : spell(value));

/** What is remembered, at most. Paths are many, most other texts few. */
const PATHS = 16_384;
const FEW = 1024;

/** undefined: nothing of it is ever released, and its values are not looked at. */
export function compileRender(rule: Rule, attribute: AttributeName, renders: Renders): Render | undefined {
  const { type } = ATTRIBUTES[attribute];
  if (rule.do === 'argv') return renderArguments(compileArguments(rule, renders));
  const apply = compileTransform(rule, attribute, type, renders);
  if (apply === undefined) return undefined;
  switch (type) {
    case 'string':
      return renderText(textOf(rule, apply, renders));
    case 'string[]':
      return rule.do === 'count' ? renderCount(apply) : renderList(textOf(rule, apply, renders));
    case 'boolean':
      return renderBoolean;
    case 'int':
    case 'double':
      return renderNumber(apply, rule, type === 'int');
  }
}

/** One text, rendered; remembered where that is quicker than to do it again. */
function textOf(rule: Rule, apply: Apply, { texts }: Renders): (text: string) => string {
  const render = (text: string): string => json(apply(text, 0));
  switch (rule.do) {
    case 'path': {
      const { templateName, scope, domain, users, length, forever } = rule;
      const alike = JSON.stringify([templateName, scope, domain, users, length, forever]);
      const known = texts.get(alike) ?? remembering(PATHS, render);
      texts.set(alike, known);
      return known;
    }
    case 'mask':
    case 'prefix':
    case 'truncate-address':
      return remembering(FEW, render);
    default:
      return render;
  }
}

const renderText =
  (textOf: (text: string) => string): Render =>
  (value) =>
    typeof value === 'string' ? textOf(value) : undefined;

/** Whether all are texts. */
const isTexts = (value: unknown): value is readonly string[] => {
  if (!Array.isArray(value)) return false;
  const items: readonly unknown[] = value;
  for (let at = 0; at < items.length; at++) if (typeof items[at] !== 'string') return false;
  return true;
};

const renderList =
  (textOf: (text: string) => string): Render =>
  (value) => {
    if (!isTexts(value)) return undefined;
    let out = '';
    for (let at = 0; at < value.length && at < MAX_ITEMS; at++) {
      const text = textOf(value[at] ?? '');
      if (text !== '') out += out === '' ? text : `,${text}`;
    }
    return `[${out}]`;
  };

const renderCount =
  (apply: Apply): Render =>
  (value) =>
    isTexts(value) ? json(apply(value, 0)) : undefined;

const renderArguments =
  (redact: (args: readonly string[]) => string): Render =>
  (value) =>
    isTexts(value) ? redact(value) : undefined;

const renderBoolean: Render = (value) => (value === true ? 'true' : value === false ? 'false' : undefined);

function renderNumber(apply: Apply, rule: Rule, isInteger: boolean): Render {
  const isValid = isInteger ? Number.isSafeInteger : Number.isFinite;
  if (rule.do === 'keep') return (value) => (isValid(value) ? String(value) : undefined);
  const render: Render = (value, time) =>
    typeof value === 'number' && isValid(value) ? json(apply(value, time)) : undefined;
  return rule.do === 'pseudonym' ? renderFew(render) : render;
}

/** Whole numbers have few values where they are pseudonyms: users, groups. Beyond what fits all is forgotten. */
function renderFew(render: Render): Render {
  const known = new Map<unknown, string>();
  return (value, time) => {
    const before = known.get(value);
    if (before !== undefined) return before;
    const rendered = render(value, time);
    if (known.size >= FEW) known.clear();
    if (rendered !== undefined) known.set(value, rendered);
    return rendered;
  };
}
