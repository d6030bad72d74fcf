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
import type { PathWriter } from './path.ts';
import { GONE, isSecretive, looksRandom } from './shapes.ts';
import { quoteWord, tokenizeShell } from './shell.ts';

export interface ArgvWriter extends PathWriter {
  /** Whether a word is on the ruleset's list. */
  readonly word: (text: string) => boolean;
  /** Whether a word may be part of the name of an option or a variable; in lower case. */
  readonly option: (text: string) => boolean;
  /** A value of no known kind. */
  readonly value: (text: string) => string;
  readonly host: (text: string) => string;
  /** The address rewritten, or undefined if it is none. */
  readonly address: (text: string) => string | undefined;
  readonly path: (text: string) => string;
  /** Numbers of at most so many digits stay readable. */
  readonly digits: number;
}

const MAX_ARGUMENTS = 64;
const MAX_ARGUMENT = 8192;
const MAX_TOTAL = 16384;
const MAX_DEPTH = 3;

const SHELLS = new Set([
  'sh',
  'bash',
  'dash',
  'ash',
  'zsh',
  'ksh',
  'mksh',
  'busybox',
  'su',
  'runuser',
  'script',
  'flock',
  'watch',
]);
/** Options of one letter that take a password, a user or a key without a space: `-phunter2`. */
const ATTACHED = new Set(['p', 'P', 'u', 'U', 'w', 'W', 'k', 'K', 'H']);
/** Options of one letter whose next argument may be a password, a user, a key, a header, data or a message. */
const GUARDED = new Set([...ATTACHED, 'a', 's', 't', 'b', 'd', 'm']);
const SCHEMES = new Set(
  'http https ftp ftps sftp ssh git ws wss file tcp udp unix ldap ldaps smb nfs rsync redis rediss postgres postgresql mysql mongodb amqp amqps mqtt socks5 tftp gopher telnet vsock'.split(
    ' ',
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
export function redactFinally(args: readonly string[], writer: ArgvWriter, check: ArgvWriter): readonly string[] {
  let out = redactArguments(args, writer);
  for (let round = 0; round < MAX_ROUNDS; round++) {
    if (isRedacted(out, check)) return out;
    const again = redactArguments(out, check);
    out = out.map((arg, at) => (again[at] === arg ? arg : GONE));
  }
  return out.map(() => GONE);
}

/** What the option before demands of the next argument. */
type Expect = 'anything' | 'secret' | 'guarded' | 'script';
const anything = (): Expect => 'anything';

function redactCommand(args: readonly string[], writer: ArgvWriter, depth: number): string[] {
  const out: string[] = [];
  let expect = anything();
  let shell = false;
  for (const arg of args) {
    if (out.length === MAX_ARGUMENTS) {
      out.push(GONE);
      break;
    }
    if (arg.length > MAX_ARGUMENT) {
      out.push(GONE);
      expect = 'anything';
      continue;
    }
    if (expect === 'secret') {
      out.push(arg === '' ? '' : GONE);
      expect = 'anything';
      continue;
    }
    const isOption = arg.length > 1 && arg.startsWith('-');
    if (isOption) {
      const flag = redactFlag(arg, writer, shell);
      out.push(flag.text);
      // `bash -c -e '…'`: the script comes after the last option.
      expect = flag.expect === 'anything' && expect === 'script' ? 'script' : flag.expect;
      continue;
    }
    shell ||= SHELLS.has(arg.slice(arg.lastIndexOf('/') + 1));
    if (expect === 'script') out.push(redactScript(arg, writer, depth));
    else if (expect === 'guarded') out.push(redactGuarded(arg, writer));
    else out.push(redactValue(arg, writer));
    expect = 'anything';
  }
  return out;
}

/** Cut where it becomes too long to be of use. */
function bounded(args: readonly string[]): string[] {
  let size = 0;
  const end = args.findIndex((arg) => (size += arg.length) > MAX_TOTAL);
  return end < 0 ? [...args] : [...args.slice(0, end), GONE];
}

/** What follows an option that may take a secret: only a path keeps its form. */
function redactGuarded(text: string, writer: ArgvWriter): string {
  if (text === '') return '';
  return /^(?:\/|\.\.?\/|~\/)/.test(text) ? redactValue(text, writer) : GONE;
}

function redactFlag(text: string, writer: ArgvWriter, shell: boolean): { text: string; expect: Expect } {
  const done = (flag: string, expect: Expect = 'anything'): { text: string; expect: Expect } => ({
    text: flag,
    expect,
  });
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

/** The name of an option or a variable: listed words, joined. */
function isName(name: string, writer: ArgvWriter): boolean {
  const parts = name.toLowerCase().split(/[-_.]/);
  const isPart = (part: string): boolean => writer.option(part) || writer.word(part) || /^[0-9]{1,2}$/.test(part);
  return parts.length <= MAX_NAME_PARTS && parts.every(isPart);
}

function redactShortFlag(text: string, writer: ArgvWriter, shell: boolean): { text: string; expect: Expect } {
  const body = text.slice(1);
  const letter = body.charAt(0);
  if (isShortNumber(body, writer.digits)) return { text, expect: 'anything' };
  if (!/[A-Za-z]/.test(letter)) return { text: `-${writer.value(body)}`, expect: 'anything' };
  const attached = ATTACHED.has(letter);
  if (/^[A-Za-z]{1,4}$/.test(body) && (body.length === 1 || !attached)) {
    const last = body.charAt(body.length - 1);
    if (shell && last === 'c') return { text, expect: 'script' };
    return { text, expect: GUARDED.has(last) ? 'guarded' : 'anything' };
  }
  return { text: `-${letter}${attached ? GONE : redactValue(body.slice(1), writer)}`, expect: 'anything' };
}

function isShortNumber(text: string, digits: number): boolean {
  const number = /^[+-]?([0-9]{1,15})(?:[.,:][0-9]{1,3})?[kKmMgGtTsh%]?$/.exec(text);
  return number !== null && (number[1] ?? '').length <= digits;
}

const PUNCTUATION = /^[{}\\;|&<>()!*?+.,:=[\]%^~/-]{1,4}$/;
const URL_FORM = /^([A-Za-z][A-Za-z0-9+.-]{0,20}):\/\/([^/?#\s]*)([^\s]*)$/;
const ASSIGNMENT = /^([A-Za-z_][A-Za-z0-9_]{0,31})=([^]*)$/;
const USER_AT_HOST = /^([^@\s/]+)@([^@\s/:]+)(?::(\S*))?$/;
const HOST_NAME = /^[A-Za-z0-9](?:[A-Za-z0-9-]{0,62})(?:\.[A-Za-z0-9-]{1,63})+\.?$/;
const LONG_NUMBER = '<number>';

function redactValue(text: string, writer: ArgvWriter): string {
  if (text === '' || text === GONE || text === LONG_NUMBER || writer.word(text)) return text;
  if (isShortNumber(text, writer.digits) || PUNCTUATION.test(text)) return text;
  if (/^[+-]?[0-9]+$/.test(text)) return LONG_NUMBER;

  const url = URL_FORM.exec(text);
  if (url !== null) return redactUrl(url[1] ?? '', url[2] ?? '', url[3] ?? '', writer);
  const endpoint = redactEndpoint(text, writer);
  if (endpoint !== undefined) return endpoint;
  const assignment = ASSIGNMENT.exec(text);
  if (assignment !== null) return redactAssignment(assignment[1] ?? '', assignment[2] ?? '', text, writer);
  const remote = USER_AT_HOST.exec(text);
  if (remote !== null) return redactRemote(remote[1] ?? '', remote[2] ?? '', remote[3], writer);

  if (/\s/.test(text)) return writer.value(text);
  if (text.startsWith('~/')) return `~${redactPath(text.slice(1), writer)}`;
  if (/^(?:\/|\.\.?\/)/.test(text) || (text.includes('/') && !/[=:,@]/.test(text))) return redactPath(text, writer);
  if (/^(?:\.[^/:=,@]+|[^./:=,@]+\.[A-Za-z0-9]{1,6})$/.test(text)) {
    const file = redactPath(text, writer);
    // A known ending makes it a file; anything else with a dot may be a host.
    if (text.startsWith('.') || file.includes('.')) return file;
  }
  if (HOST_NAME.test(text)) return writer.host(text);
  return looksRandom(text) ? secretOf(text, writer) : writer.value(text);
}

/** Something random is taken away; in a check, what already is a pseudonym stays. */
function secretOf(text: string, writer: ArgvWriter): string {
  return writer.value(text) === text ? text : GONE;
}

const redactPath = (text: string, writer: ArgvWriter): string => writer.path(text);

function redactUrl(scheme: string, authority: string, rest: string, writer: ArgvWriter): string {
  const name = scheme.toLowerCase();
  const head = `${SCHEMES.has(name) ? name : 'other'}://`;
  if (name === 'file' && authority === '') return head + redactPath(rest, writer);
  const at = authority.lastIndexOf('@');
  const host = redactHostPort(authority.slice(at + 1), writer);
  return `${head}${at < 0 ? '' : `${GONE}@`}${host}${rest === '' || rest === '/' ? rest : `/${GONE}`}`;
}

/** `host`, `host:port`, `[v6]:port`. */
function redactHostPort(text: string, writer: ArgvWriter): string {
  if (text === '') return '';
  const parts = /^(\[[^\]]*\]|[^:]*)(?::([0-9]{1,5}))?$/.exec(text);
  if (parts === null) return GONE;
  const host = parts[1] ?? '';
  const port = parts[2] === undefined ? '' : `:${parts[2]}`;
  if (host.startsWith('[')) return `[${writer.address(host.slice(1, -1)) ?? GONE}]${port}`;
  if (host === GONE || host === '' || writer.word(host)) return host + port;
  return (writer.address(host) ?? writer.host(host)) + port;
}

/** An address, with mask or port. */
function redactEndpoint(text: string, writer: ArgvWriter): string | undefined {
  const whole = writer.address(text);
  if (whole !== undefined) return whole;
  const parts = /^(\[[^\]]*\]|[^/[\]]+?)([/:][0-9]{1,5})$/.exec(text);
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
  HOST_NAME.test(host) || writer.word(host) || writer.host(host) === host;

function redactAssignment(name: string, value: string, text: string, writer: ArgvWriter): string {
  const known = writer.word(name) || isName(name, writer);
  if (!known) return looksRandom(text) ? GONE : writer.value(text);
  if (value === '') return text;
  return `${name}=${isSecretive(name) ? GONE : redactValue(value, writer)}`;
}

function redactRemote(user: string, host: string, path: string | undefined, writer: ArgvWriter): string {
  const who = user === GONE || user.includes(':') ? GONE : writer.word(user) ? user : writer.user(user);
  const where = redactHostPort(host, writer);
  return `${who}@${where}${path === undefined ? '' : `:${path === '' ? '' : redactPath(path, writer)}`}`;
}

const KEYWORDS = new Set(
  'if then elif else fi for in do done while until case esac function select time { } ! [ [[ ] ]]'.split(' '),
);
const SEPARATORS = /^(?:;;?|&&?|\|\|?|\|&|[()\n])$/;

function redactScript(text: string, writer: ArgvWriter, depth: number): string {
  if (text === '' || text === GONE) return text;
  const tokens = depth < MAX_DEPTH ? tokenizeShell(text) : undefined;
  if (tokens === undefined) return GONE;
  const out: string[] = [];
  let words: string[] = [];
  const flush = (): void => {
    const shown = redactCommand(words, scriptWriter(writer), depth + 1);
    out.push(...shown.map((word) => (KEYWORDS.has(word) ? word : (quoteWord(word) ?? GONE))));
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

/** Inside a script the shell's own keywords are words too. */
function scriptWriter(writer: ArgvWriter): ArgvWriter {
  return { ...writer, word: (text) => KEYWORDS.has(text) || writer.word(text) };
}
