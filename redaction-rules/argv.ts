/**
 * Command lines: names of options stay, values go by what they are.
 *
 * Nothing stays readable because it looks harmless: a text stays only if it is on the ruleset's list of words, is the
 * name of an option made of listed words, punctuation or a short number. Paths, addresses, URLs, hosts and users keep their form
 * and lose their names; values of options that hold secrets, and whatever looks random, are taken away
 * altogether. A script handed to a shell (`sh -c '…'`) is split as shells split it and treated the same way.
 *
 * Rendering is idempotent under a writer that lets pseudonyms through: that is how the collector checks that
 * a command line was redacted.
 */
import { AT, BLANK, COLON, DIGIT, DOT, EQUALS, FOREIGN, kindsOf, LETTER, SLASH } from './characters.ts';
import type { PathWriter } from './path.ts';
import { GONE, isSecretive, looksRandom } from './shapes.ts';
import { quoteWord, tokenizeShell } from './shell.ts';
import { spell, spellList } from './spelling.ts';
import { oneOf, remembering } from './texts.ts';

export interface ArgvWriter extends PathWriter {
  /** Whether a word is on the ruleset's list. */
  readonly word: (text: string) => boolean;
  /** Whether a word may be part of the name of an option or a variable; in lower case. */
  readonly option: (text: string) => boolean;
  /** A value of no known kind. */
  readonly value: (text: string) => string;
  /** In a check, whether a text is what stands for a value, or for the name of a host; when redacting nothing is. */
  readonly isValue: (text: string) => boolean;
  readonly isHostName: (text: string) => boolean;
  readonly host: (text: string) => string;
  /** The address rewritten, or undefined if it is none. */
  readonly address: (text: string) => string | undefined;
  readonly path: (text: string) => string;
  /** Numbers of at most so many digits stay readable. */
  readonly digits: number;
  /** For what stands inside a script: there the shell's own keywords are words too. */
  readonly script: ArgvWriter;
}

const MAX_ARGUMENTS = 64;
const MAX_ARGUMENT = 8192;
const MAX_TOTAL = 16384;
const MAX_DEPTH = 3;

const words = (text: string): ReadonlySet<string> => new Set(text.split(' '));
const isNameOfShell = oneOf(words('sh bash dash ash zsh ksh mksh busybox su runuser script flock watch'));
/** Options of one letter that take a password, a user or a key without a space: `-phunter2`. */
const ATTACHED = new Set(['p', 'P', 'u', 'U', 'w', 'W', 'k', 'K', 'H']);
/** Options of one letter whose next argument may be a password, a user, a key, a header, data or a message. */
const GUARDED = new Set([...ATTACHED, 'a', 's', 't', 'b', 'd', 'm']);
const isScheme = oneOf(
  words(
    'http https ftp ftps sftp ssh git ws wss file tcp udp unix ldap ldaps smb nfs rsync redis rediss postgres postgresql mysql mongodb amqp amqps mqtt socks5 tftp gopher telnet vsock',
  ),
);

export function redactArguments(args: readonly string[], writer: ArgvWriter): readonly string[] {
  return bounded(redactCommand(args, writer, 0));
}

/** Whether a command line is as `redactArguments` leaves it; `check` writes pseudonyms as they are and nothing else. */
export function isRedacted(args: readonly string[], check: ArgvWriter): boolean {
  const again = redactArguments(args, check);
  return again.length === args.length && again.every((arg, at) => arg === args[at]);
}

const MAX_ROUNDS = 4;

/** Redacts so that the result passes `isRedacted`: what does not is taken away altogether. */
function redactFinally(args: readonly string[], writer: ArgvWriter, check: ArgvWriter): readonly string[] {
  let out = redactArguments(args, writer);
  for (let round = 0; round < MAX_ROUNDS; round++) {
    if (isRedacted(out, check)) return out;
    const again = redactArguments(out, check);
    out = out.map((arg, at) => (again[at] === arg ? arg : GONE));
  }
  return out.map(() => GONE);
}

/** Arguments that are remembered. */
const REMEMBERED = 8192;

/**
 * {@link redactFinally} as JSON, argument by argument, remembering what became of each behind what came before it. The check goes
 * along: an argument holds if the check leaves it as it is and expects the same of the next. Where one does not, all is done
 * the long way.
 */
export function argvRedactor(writer: ArgvWriter, check: ArgvWriter): (args: readonly string[]) => string {
  /** undefined: it does not hold. */
  const work = (arg: string, state: State): SpelledStep | undefined => {
    const { text, next } = redactArgument(arg, state, writer, 0);
    const again = redactArgument(text, state, check, 0);
    return again.text === text && again.next === next ? { spelled: spell(text), size: text.length, next } : undefined;
  };
  const stepsOf = remembering(REMEMBERED, (arg) => {
    const steps: (SpelledStep | undefined)[] = [];
    return (state: State) => (steps[state.number] ??= work(arg, state));
  });

  return (args) => {
    let out = '';
    let state = START;
    let size = 0;
    for (let at = 0; at < args.length && at <= MAX_ARGUMENTS; at++) {
      const step = at < MAX_ARGUMENTS ? stepsOf(args[at] ?? '')(state) : LAST;
      if (step === undefined || (size += step.size) > MAX_TOTAL) {
        return spellList(redactFinally(args, writer, check));
      }
      out += at === 0 ? step.spelled : `,${step.spelled}`;
      state = step.next;
    }
    return `[${out}]`;
  };
}

/** What the option before demands of the next argument. */
type Expect = 'anything' | 'secret' | 'guarded' | 'script';

/** What the arguments so far say of the next one. */
interface State {
  readonly expect: Expect;
  /** A shell was named: `-c` is followed by a script. */
  readonly shell: boolean;
  /** Of its own, so that states can be told apart and counted. */
  readonly number: number;
}

const statesOf = (shell: boolean, first: number): Readonly<Record<Expect, State>> => ({
  anything: { expect: 'anything', shell, number: first },
  secret: { expect: 'secret', shell, number: first + 1 },
  guarded: { expect: 'guarded', shell, number: first + 2 },
  script: { expect: 'script', shell, number: first + 3 },
});
const WITHOUT_SHELL = statesOf(false, 0);
const WITH_SHELL = statesOf(true, 4);
const stateOf = (expect: Expect, shell: boolean): State => (shell ? WITH_SHELL : WITHOUT_SHELL)[expect];
const START = WITHOUT_SHELL.anything;

/** What became of an argument. */
interface Step {
  readonly text: string;
  readonly next: State;
}

interface SpelledStep {
  /** JSON of its text. */
  readonly spelled: string;
  readonly size: number;
  readonly next: State;
}
/** Stands for all that are too many. */
const LAST: SpelledStep = { spelled: spell(GONE), size: GONE.length, next: START };

function redactCommand(args: readonly string[], writer: ArgvWriter, depth: number): string[] {
  const out: string[] = [];
  let state = START;
  for (const arg of args) {
    if (out.length === MAX_ARGUMENTS) {
      out.push(GONE);
      break;
    }
    const { text, next } = redactArgument(arg, state, writer, depth);
    out.push(text);
    state = next;
  }
  return out;
}

function redactArgument(arg: string, { expect, shell }: State, writer: ArgvWriter, depth: number): Step {
  if (arg.length > MAX_ARGUMENT) return { text: GONE, next: stateOf('anything', shell) };
  if (expect === 'secret') return { text: arg === '' ? '' : GONE, next: stateOf('anything', shell) };
  const isOption = arg.length > 1 && arg.startsWith('-');
  if (isOption) {
    const flag = redactFlag(arg, writer, shell);
    // `bash -c -e '…'`: the script comes after the last option.
    return {
      text: flag.text,
      next: stateOf(flag.expect === 'anything' && expect === 'script' ? 'script' : flag.expect, shell),
    };
  }
  const next = stateOf('anything', shell || isShell(arg));
  if (expect === 'script') return { text: redactScript(arg, writer, depth), next };
  return { text: expect === 'guarded' ? redactGuarded(arg, writer) : redactValue(arg, writer), next };
}

/** Named by its path or without. */
const isShell = (arg: string): boolean => isNameOfShell(arg.slice(arg.lastIndexOf('/') + 1));

/** Cut where it becomes too long to be of use. */
function bounded(args: readonly string[]): string[] {
  let size = 0;
  const end = args.findIndex((arg) => (size += arg.length) > MAX_TOTAL);
  return end < 0 ? [...args] : [...args.slice(0, end), GONE];
}

/** What follows an option that may take a secret: only a path keeps its form. */
function redactGuarded(text: string, writer: ArgvWriter): string {
  if (text === '') return '';
  return BEGINS_PATH.test(text) || text.startsWith('~/') ? redactValue(text, writer) : GONE;
}

interface Flag {
  readonly text: string;
  readonly expect: Expect;
}
const done = (text: string, expect: Expect = 'anything'): Flag => ({ text, expect });

function redactFlag(text: string, writer: ArgvWriter, shell: boolean): Flag {
  if (text === '--') return done(text);
  const dashes = text.startsWith('--') ? '--' : '-';
  const equals = text.indexOf('=');
  const name = text.slice(dashes.length, equals < 0 ? undefined : equals);
  const known = writer.word(name) || (dashes === '--' && isName(name, writer));
  if (known && name.length > 1) {
    const secret = isSecretive(name);
    if (equals < 0) return done(text, secret ? 'secret' : shell && name === 'command' ? 'script' : 'anything');
    const value = text.slice(equals + 1);
    return done(`${dashes}${name}=${value === '' ? '' : secret ? GONE : redactValue(value, writer)}`);
  }
  if (dashes === '--') {
    const hidden = `--${writer.value(name)}`;
    return equals < 0 ? done(hidden) : done(`${hidden}=${equals === text.length - 1 ? '' : GONE}`);
  }
  return redactShortFlag(text, writer, shell);
}

const MAX_NAME_PARTS = 5;
const NAME_JOINTS = /[-_.]/;
const PART_NUMBER = /^[0-9]{1,2}$/;

/** The name of an option or a variable: listed words, joined. */
function isName(name: string, writer: ArgvWriter): boolean {
  const parts = name.toLowerCase().split(NAME_JOINTS, MAX_NAME_PARTS + 1);
  const isPart = (part: string): boolean => writer.option(part) || writer.word(part) || PART_NUMBER.test(part);
  return parts.length <= MAX_NAME_PARTS && parts.every(isPart);
}

const LETTERS = /^[A-Za-z]+$/;

function redactShortFlag(text: string, writer: ArgvWriter, shell: boolean): Flag {
  const body = text.slice(1);
  const letter = body.charAt(0);
  if (isShortNumber(body, writer.digits)) return { text, expect: 'anything' };
  if (!LETTERS.test(letter)) return { text: `-${writer.value(body)}`, expect: 'anything' };
  const attached = ATTACHED.has(letter);
  if (body.length <= 4 && LETTERS.test(body) && (body.length === 1 || !attached)) {
    const last = body.charAt(body.length - 1);
    if (shell && last === 'c') return { text, expect: 'script' };
    return { text, expect: GUARDED.has(last) ? 'guarded' : 'anything' };
  }
  return { text: `-${letter}${attached ? GONE : redactValue(body.slice(1), writer)}`, expect: 'anything' };
}

const SHORT_NUMBER = /^[+-]?([0-9]{1,15})(?:[.,:][0-9]{1,3})?[kKmMgGtTsh%]?$/;

function isShortNumber(text: string, digits: number): boolean {
  const number = SHORT_NUMBER.exec(text);
  return number !== null && (number[1] ?? '').length <= digits;
}

const PUNCTUATION = /^[{}\\;|&<>()!*?+.,:=[\]%^~/-]{1,4}$/;
const URL_FORM = /^([A-Za-z][A-Za-z0-9+.-]{0,20}):\/\/([^/?#\s]*)([^\s]*)$/;
const ASSIGNMENT = /^([A-Za-z_][A-Za-z0-9_]{0,31})=([^]*)$/;
const USER_AT_HOST = /^([^@\s/]+)@([^@\s/:]+)(?::(\S*))?$/;
const HOST_NAME = /^[A-Za-z0-9](?:[A-Za-z0-9-]{0,62})(?:\.[A-Za-z0-9-]{1,63})+\.?$/;
const LONG_NUMBER = '<number>';

const WHOLE_NUMBER = /^[+-]?[0-9]+$/;
const HAS_BLANK = /\s/;
const BEGINS_PATH = /^(?:\/|\.\.?\/)/;
const FILE_NAME = /^(?:\.[^/:=,@]+|[^./:=,@]+\.[A-Za-z0-9]{1,6})$/;

/** The order decides where a text could be more than one thing. What its characters rule out is not tried. */
function redactValue(text: string, writer: ArgvWriter): string {
  if (text === '' || text === GONE || text === LONG_NUMBER || writer.word(text)) return text;
  const kinds = kindsOf(text);
  const has = (kind: number): boolean => (kinds & kind) !== 0;
  if (has(DIGIT)) {
    if (isShortNumber(text, writer.digits)) return text;
    if (WHOLE_NUMBER.test(text)) return LONG_NUMBER;
  } else if (!has(LETTER) && PUNCTUATION.test(text)) return text;

  if (has(COLON) && has(SLASH)) {
    const url = URL_FORM.exec(text);
    if (url !== null) return redactUrl(url[1] ?? '', url[2] ?? '', url[3] ?? '', writer);
  }
  if (has(COLON | DOT)) {
    const endpoint = redactEndpoint(text, writer);
    if (endpoint !== undefined) return endpoint;
  }
  if (has(EQUALS)) {
    const assignment = ASSIGNMENT.exec(text);
    if (assignment !== null) return redactAssignment(assignment[1] ?? '', assignment[2] ?? '', text, writer);
  }
  if (has(AT)) {
    const remote = USER_AT_HOST.exec(text);
    if (remote !== null) return redactRemote(remote[1] ?? '', remote[2] ?? '', remote[3], writer);
  }

  if (has(BLANK | FOREIGN) && HAS_BLANK.test(text)) return writer.value(text);
  if (has(SLASH)) {
    if (text.startsWith('~/')) return `~${writer.path(text.slice(1))}`;
    if (BEGINS_PATH.test(text) || (!has(EQUALS | COLON | AT) && !text.includes(','))) return writer.path(text);
  }
  if (has(DOT)) {
    if (FILE_NAME.test(text)) {
      const file = writer.path(text);
      // A known ending makes it a file; anything else with a dot may be a host.
      if (text.startsWith('.') || file.includes('.')) return file;
    }
    if (HOST_NAME.test(text)) return writer.host(text);
  }
  return looksRandom(text) ? secretOf(text, writer) : writer.value(text);
}

/** Something random is taken away; in a check, what already is a pseudonym stays. */
const secretOf = (text: string, writer: ArgvWriter): string => (writer.isValue(text) ? text : GONE);

function redactUrl(scheme: string, authority: string, rest: string, writer: ArgvWriter): string {
  const name = scheme.toLowerCase();
  const head = `${isScheme(name) ? name : 'other'}://`;
  if (name === 'file' && authority === '') return head + writer.path(rest);
  const at = authority.lastIndexOf('@');
  const host = redactHostPort(authority.slice(at + 1), writer);
  return `${head}${at < 0 ? '' : `${GONE}@`}${host}${rest === '' || rest === '/' ? rest : `/${GONE}`}`;
}

const HOST_PORT = /^(\[[^\]]*\]|[^:]*)(?::([0-9]{1,5}))?$/;

/** `host`, `host:port`, `[v6]:port`. */
function redactHostPort(text: string, writer: ArgvWriter): string {
  if (text === '') return '';
  const parts = HOST_PORT.exec(text);
  if (parts === null) return GONE;
  const host = parts[1] ?? '';
  const port = parts[2] === undefined ? '' : `:${parts[2]}`;
  if (host.startsWith('[')) return `[${writer.address(host.slice(1, -1)) ?? GONE}]${port}`;
  if (host === GONE || host === '' || writer.word(host)) return host + port;
  return (writer.address(host) ?? writer.host(host)) + port;
}

const ENDPOINT = /^(\[[^\]]*\]|[^/[\]]+?)([/:][0-9]{1,5})$/;

/** An address, with mask or port. */
function redactEndpoint(text: string, writer: ArgvWriter): string | undefined {
  const whole = writer.address(text);
  if (whole !== undefined) return whole;
  const parts = ENDPOINT.exec(text);
  if (parts === null) return undefined;
  const host = parts[1] ?? '';
  const bracketed = host.startsWith('[');
  const address = writer.address(bracketed ? host.slice(1, -1) : host);
  if (address !== undefined) return (bracketed ? `[${address}]` : address) + (parts[2] ?? '');
  return !bracketed && (parts[2] ?? '').startsWith(':') && isHost(host, writer)
    ? redactHostPort(text, writer)
    : undefined;
}

/** The name of a host, or in a check what stands for one. */
const isHost = (host: string, writer: ArgvWriter): boolean =>
  HOST_NAME.test(host) || writer.word(host) || writer.isHostName(host);

function redactAssignment(name: string, value: string, text: string, writer: ArgvWriter): string {
  const known = writer.word(name) || isName(name, writer);
  if (!known) return looksRandom(text) ? GONE : writer.value(text);
  if (value === '') return text;
  return `${name}=${isSecretive(name) ? GONE : redactValue(value, writer)}`;
}

function redactRemote(user: string, host: string, path: string | undefined, writer: ArgvWriter): string {
  const who = user === GONE || user.includes(':') ? GONE : writer.word(user) ? user : writer.user(user);
  const where = redactHostPort(host, writer);
  return `${who}@${where}${path === undefined ? '' : `:${path === '' ? '' : writer.path(path)}`}`;
}

const isKeyword = oneOf(
  words('if then elif else fi for in do done while until case esac function select time { } ! [ [[ ] ]]'),
);
const SEPARATORS = /^(?:;;?|&&?|\|\|?|\|&|[()\n])$/;

function redactScript(text: string, writer: ArgvWriter, depth: number): string {
  if (text === '' || text === GONE) return text;
  const tokens = depth < MAX_DEPTH ? tokenizeShell(text) : undefined;
  if (tokens === undefined) return GONE;
  const out: string[] = [];
  let words: string[] = [];
  const flush = (): void => {
    const shown = redactCommand(words, writer.script, depth + 1);
    out.push(...shown.map((word) => (isKeyword(word) ? word : (quoteWord(word) ?? GONE))));
    words = [];
  };
  for (const token of tokens) {
    if (token.kind === 'word') words.push(token.text);
    else if (token.kind === 'expansion') words.push(GONE);
    else {
      flush();
      if (token.kind === 'substitution') out.push(`$(${redactScript(token.text, writer, depth + 1)})`);
      else out.push(SEPARATORS.test(token.text) && token.text === '\n' ? ';' : token.text);
    }
  }
  flush();
  const script = out.join(' ');
  return script.length > MAX_ARGUMENT ? GONE : script;
}

/** The writer for command lines, and the one for what stands inside scripts. */
export function withScripts(outside: Omit<ArgvWriter, 'script'>): ArgvWriter {
  const script: ArgvWriter = {
    ...outside,
    word: (text) => isKeyword(text) || outside.word(text),
    get script() {
      return script;
    },
  };
  return { ...outside, script };
}
