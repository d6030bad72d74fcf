/** What a schema says of itself: for `--help`, for docs/configuration.md, as the example file, and as a manual page. */
import { isRecord, type Keys } from './schema.ts';

type AnyKey = Keys[string];

/** As one writes it; undefined where the file must say, or may be silent. */
function writtenDefault({ fallback, kind, usually }: AnyKey): string | undefined {
  if (usually !== undefined) return usually;
  return fallback?.value === undefined ? undefined : kind.write(fallback.value);
}

const whenItCounts = ({ isLive }: AnyKey): string => (isLive === true ? 'SIGHUP' : 'start');

/** A line for each key. */
export function describeKeys(keys: Keys): string {
  return Object.entries(keys)
    .map(([name, key]) => `  ${name.padEnd(18)} ${key.brief} ${presenceOf(key)}`)
    .join('\n');
}

function presenceOf(key: AnyKey): string {
  const written = writtenDefault(key);
  if (written !== undefined) return `Default: ${written}.`;
  return key.fallback === undefined ? 'Required.' : 'Optional.';
}

/** Keys of records stand behind the name of the record and a dot. */
function flat(keys: Keys, before = ''): readonly (readonly [string, AnyKey])[] {
  return Object.entries(keys).flatMap(([name, key]) => {
    const inner = recordIn(key);
    return [[`${before}${name}`, key] as const, ...(inner === undefined ? [] : flat(inner, `${before}${name}.`))];
  });
}

/** Of the key itself, or of the items of its list. */
function recordIn({ kind }: AnyKey): Keys | undefined {
  const inner = kind.item ?? kind;
  return isRecord(inner) ? inner.keys : undefined;
}

/** A table, for the documentation. */
export function tableOf(keys: Keys): string {
  const rows = flat(keys).map(([name, key]) => {
    const written = writtenDefault(key);
    const otherwise = written === undefined ? (key.fallback === undefined ? '**required**' : 'none') : `\`${written}\``;
    return `| \`${name}\` | ${escaped(key.brief)} | ${escaped(key.kind.says)} | ${otherwise} | ${name.includes('.') ? '' : whenItCounts(key)} |`;
  });
  return ['| key | what it is for | must be | default | read at |', '|---|---|---|---|---|', ...rows].join('\n');
}

const escaped = (text: string): string => text.replaceAll('|', '\\|');

const WIDTH = 100;

/** A file in which everything is said and nothing is set. */
export function exampleOf(intro: string, keys: Keys): string {
  const stanzas = Object.entries(keys).map(([name, key]) => {
    const written = writtenDefault(key);
    const words = wrapped(`${key.brief} Must be ${key.kind.says}. ${presenceOf(key)} Read at ${whenItCounts(key)}.`);
    return `${words}\n#${name}:${written === undefined ? '' : ` ${written}`}\n`;
  });
  return [`${wrapped(intro)}\n`, ...stanzas].join('\n');
}

function wrapped(text: string): string {
  const lines = [''];
  for (const word of text.split(' ')) {
    if ((lines.at(-1) ?? '').length + word.length >= WIDTH) lines.push('');
    lines[lines.length - 1] += ` ${word}`;
  }
  return lines.map((line) => `#${line}`).join('\n');
}

/** Sections of a manual page. */
export function manualOf(keys: Keys): string {
  return flat(keys)
    .map(
      ([name, key]) =>
        `.TP\n.B ${roff(name)}\n${roff(`${key.brief} Must be ${key.kind.says}. ${presenceOf(key)}${name.includes('.') ? '' : ` Read at ${whenItCounts(key)}.`}`)}\n`,
    )
    .join('');
}

export const roff = (text: string): string =>
  text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll(/^([.'])/gm, '\\&$1');
