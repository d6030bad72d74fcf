/** Promises about paths and command lines: what a template or a list of words lets through, tried and judged. */
import type { PathTemplate } from '../../redaction-rules/path.ts';
import type { Rule } from '../../redaction-rules/rule.ts';
import { isPublicWord } from './public-words.ts';
import {
  brokenAddress,
  firstOf,
  lastPseudonym,
  NAME,
  textOf,
  type Places,
  type Promised,
  type Release,
} from './promises-of-values.ts';

const asGlob = (place: string): RegExp => {
  const parts = place.split('/').map((part) => {
    if (part === '**') return '.*';
    return part.replace(/[.+$^()|\\]/g, '\\$&').replace(/\*/g, '[^/#]+');
  });
  return new RegExp(`^${parts.join('/').replaceAll('/.*', '(?:/.*)?')}$`);
};
const globs = new Map<string, RegExp>();
const stands = (directory: string, places: readonly string[]): boolean =>
  places.some((place) => {
    let glob = globs.get(place);
    if (glob === undefined) globs.set(place, (glob = asGlob(place)));
    return glob.test(directory);
  });

/** Fifty bits tell all names of a machine apart. */
const PATH_LETTERS = 10;
const NUMBER = '1077';
/** A word that even a command line may show, so that its paths are tried with something that could stay. */
const WORD = 'ls';

/** A path as the template describes it, with names and numbers put in, and what stands below it. */
function* triedPaths(template: PathTemplate, name: string): Generator<string> {
  for (const pattern of template.readable) {
    for (const number of [NUMBER, name]) {
      const path = pattern.replaceAll('{number}', number).replace(/\{[a-z]+\}/g, name);
      yield path;
      yield `${path}/${name}`;
    }
  }
  for (const directory of PRIVATE) yield `${directory}/${name}/${name}`;
  for (const file of template.names) yield `/home/${name}/${name}/${file}`;
  for (const extension of template.extensions) yield `/tmp/${name}.${extension}`;
}

/** Directories in which people choose names, whatever a template says. */
const PRIVATE = [
  '',
  '/home',
  '/root',
  '/opt',
  '/srv',
  '/mnt',
  '/media',
  '/tmp',
  '/data',
  '/var/lib',
  '/var/log',
  '/etc',
  'relative',
  '/usr/bin/..',
];

export function brokenPlace(
  release: (path: string) => string,
  places: Places,
  rule: Rule,
  name: string = NAME,
): string | undefined {
  if (!('template' in rule)) return release(`/home/${NAME}`).includes(NAME) ? `${NAME} is readable` : 'no path';
  const user = lastPseudonym(release(`/home/${NAME}`));
  if ((user?.length ?? 0) > PATH_LETTERS) return `more than ${PATH_LETTERS} letters`;
  const other = lastPseudonym(release(`/tmp/${NAME}`));
  for (const path of triedPaths(rule.template, name)) {
    const before = path.split('/');
    const after = release(path).split('/');
    let directory = '';
    for (const [at, segment] of before.entries()) {
      const shown = after[at] ?? '';
      const wrong = wrongSegment(segment, shown, directory, places, name);
      if (wrong !== undefined) return `${wrong} in ${path}`;
      if (segment === name && shown.startsWith('p-') && stands(directory, places.silent ?? []))
        return `a pseudonym in ${directory}`;
      if (user !== other && shown === `p-${user}` && !stands(directory, places.users)) return `a user in ${directory}`;
      if (at > 0) directory += `/${segment === name ? '*' : segment === NUMBER ? '#' : segment}`;
    }
  }
  return undefined;
}

function wrongSegment(
  segment: string,
  shown: string,
  directory: string,
  places: Places,
  name: string,
): string | undefined {
  const ending = /\.([^.]+)$/.exec(shown)?.[1];
  if (shown.startsWith('p-') && ending !== undefined && !isPublicWord(ending))
    return `the ending ${ending} is readable`;
  if (shown !== segment) return undefined;
  if (segment === name) return stands(directory, places.named) ? undefined : `a name is readable in ${directory}`;
  if (segment === NUMBER) {
    return stands(directory, [...places.named, ...places.numbered])
      ? undefined
      : `a number is readable in ${directory}`;
  }
  return isPublicWord(segment) ? undefined : `${segment} is readable`;
}

/** Values as they stand in command lines, and what may stand nowhere. */
const TYPED = [
  ['mysql', `-p${NAME}`],
  [NAME, `--${NAME}=${NAME}`, `${NAME}=1`, `-x${NAME}`],
  [`https://${NAME}:${NAME}@${NAME}.example.org/${NAME}`, `${NAME}@${NAME}:${NAME}`],
  ['sh', '-c', `echo ${NAME} > /home/${NAME}`],
];

export function brokenCommand(
  release: Release,
  promise: Extract<Promised, { says: 'command' }>,
  rule: Rule,
): string | undefined {
  for (const args of TYPED) if (textOf(release(args)).includes(NAME)) return `${NAME} is readable`;
  for (let digits = promise.digits + 1; digits <= 15; digits++) {
    const number = '4711471147114711'.slice(0, digits);
    if (textOf(release(['kill', number, `-n${number}`])).includes(number)) return `${digits} digits are readable`;
  }
  const address = brokenAddress((text) => release([text]), ['loopback', 'unspecified']);
  if (address !== undefined) return address;
  if (promise.values === 'gone' && textOf(release([NAME])) !== '["…"]') return 'a value has a pseudonym';
  if (rule.do !== 'argv') return 'no command line';
  const secretWord = [...rule.words, ...rule.options].find((word) => !isPublicWord(word));
  if (secretWord !== undefined) return `the word ${secretWord} is readable`;
  const path = (text: string): string => firstOf(release([text]));
  return brokenPlace(path, promise.places, rule) ?? brokenPlace(path, promise.places, rule, WORD);
}
