/**
 * What sudo and su say of changing user.
 *
 *     alex : TTY=pts/1 ; PWD=/home/alex ; USER=root ; COMMAND=/usr/bin/id -u
 *     alex : 3 incorrect password attempts ; TTY=pts/1 ; PWD=/home/alex ; USER=root ; COMMAND=/usr/bin/id
 *
 * The caller chooses the directory, the variables and the command, and may write ` ; USER=nobody` into any of them. A line that
 * can be read in two ways tells who and that, and no more.
 */
import type { SwitchFact } from './fact.ts';
import { terminalOf } from './pam.ts';

const NAME = /^[^\s:;]{1,64}$/;
const SEPARATOR = ' ; ';
const COMMAND = 'COMMAND=';
const KEYS = ['HOST', 'TTY', 'CHROOT', 'PWD', 'USER', 'GROUP', 'TSID', 'ENV'] as const;
type Key = (typeof KEYS)[number];
const MAX_ARGUMENTS = 64;

/** How a reason begins, in sudo's words, and ours for it. */
const REASONS: readonly (readonly [RegExp, string])[] = [
  [/^\d{1,4} incorrect password attempts?$/, 'wrong-password'],
  [/^command not allowed$/, 'not-allowed'],
  [/^user NOT in sudoers$/, 'not-in-sudoers'],
  [/^user NOT authorized on host$/, 'not-allowed'],
  [/^a password is required$/, 'password-required'],
  [/^no tty present and no askpass program specified$/, 'password-required'],
  [/^sorry, you must have a tty to run sudo$/, 'no-terminal'],
  [/^sorry, you are not allowed to .*$/, 'not-allowed'],
  [/^(?:account validation failure|Account expired|Account or password is expired)/, 'account-expired'],
];

export function parseSudo(message: string): SwitchFact | undefined {
  const colon = message.indexOf(' : ');
  const by = message.slice(0, colon).trimStart();
  if (colon < 0 || !NAME.test(by)) return undefined;
  const text = message.slice(colon + 3);
  const reason = startsWithKey(text) ? '' : (text.split(SEPARATOR, 1)[0] ?? '');
  const error = reason === '' ? undefined : REASONS.find(([pattern]) => pattern.test(reason))?.[1];
  if (reason !== '' && error === undefined) return undefined;
  const rest = reason === '' ? text : text.slice(reason.length + SEPARATOR.length);
  if (!rest.includes(COMMAND)) return error === undefined ? undefined : { kind: 'switch', program: 'sudo', by, error };
  return { kind: 'switch', program: 'sudo', by, error, ...certain(rest) };
}

const startsWithKey = (text: string): boolean =>
  text.startsWith(COMMAND) || KEYS.some((key) => text.startsWith(`${key}=`));

/** Directory, user and command, where there is one way to read them. */
function certain(text: string): Pick<SwitchFact, 'to' | 'terminal' | 'directory' | 'command'> {
  for (const key of [...KEYS.map((one) => `${one}=`), COMMAND]) if (text.split(SEPARATOR + key).length > 2) return {};
  const values = new Map<Key, string>();
  let rest = text;
  for (let last = -1; !rest.startsWith(COMMAND);) {
    const end = rest.indexOf(SEPARATOR);
    const at = KEYS.findIndex((key) => rest.startsWith(`${key}=`));
    const key = KEYS[at];
    if (end < 0 || key === undefined || at <= last) return {};
    values.set(key, rest.slice(key.length + 1, end));
    rest = rest.slice(end + SEPARATOR.length);
    last = at;
  }
  const to = values.get('USER');
  return {
    to: to !== undefined && NAME.test(to) ? to : undefined,
    terminal: terminalOf(values.get('TTY')),
    directory: values.get('PWD'),
    command: wordsOf(rest.slice(COMMAND.length)),
  };
}

/** Newer sudo puts words with spaces into single quotes; of older ones the words are as good as can be had. */
function wordsOf(command: string): readonly string[] {
  const words: string[] = [];
  for (const [, quoted, bare] of command.matchAll(/'((?:[^']|'\\'')*)'(?= |$)|([^ ]+)/g)) {
    if (words.length === MAX_ARGUMENTS) break;
    words.push(quoted === undefined ? (bare ?? '') : quoted.replaceAll("'\\''", "'"));
  }
  return words;
}

const SU = /^(FAILED SU )?\(to ([^\s)]{1,64})\) [^\s]{1,64} on (\S{1,40})$/;
const SHADOW_SU = /^(FAILED|Successful) su for ([^\s]{1,64}) by [^\s]{1,64}$/;

/** Who acts is not read here: su asks the terminal's records, which know who was there first. */
export function parseSu(message: string): SwitchFact | undefined {
  const [, failed, to, terminal] = SU.exec(message) ?? [];
  if (to !== undefined) return switched(failed !== undefined, to, terminal);
  const [, outcome, target] = SHADOW_SU.exec(message) ?? [];
  return target === undefined ? undefined : switched(outcome === 'FAILED', target, undefined);
}

const switched = (failed: boolean, to: string, terminal: string | undefined): SwitchFact => ({
  kind: 'switch',
  program: 'su',
  to,
  terminal: terminalOf(terminal),
  error: failed ? 'wrong-password' : undefined,
});
