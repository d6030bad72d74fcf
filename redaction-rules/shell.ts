/**
 * The words and operators of a shell command line, as POSIX shells split them; nothing is expanded or run.
 *
 * What cannot be split with confidence (a here-document, an open quote) is no list of tokens, and the caller must
 * treat the text as one opaque value.
 */

export type ShellToken =
  | { readonly kind: 'word'; readonly text: string }
  | { readonly kind: 'operator'; readonly text: string }
  /** A word that is exactly one command substitution; `text` is the inner script. */
  | { readonly kind: 'substitution'; readonly text: string }
  /** A word in which something is expanded; its text is not known before it runs. */
  | { readonly kind: 'expansion'; readonly text: string };

const OPERATOR = /(?:[0-9]?(?:<<<|>>|>&|<&|>\||<>|>|<)|&>>|&>|&&|\|\||\|&|;;|[;&|()\n])/y;
const BLANK = /[ \t\r]+/y;
const MAX_TOKENS = 512;

/** Index just behind the parenthesis that closes the one opened before `from`, quotes respected. */
function closing(text: string, from: number): number {
  let depth = 1;
  let quote = '';
  for (let at = from; at < text.length; at++) {
    const char = text[at] ?? '';
    if (quote !== '') {
      if (char === '\\' && quote === '"') at++;
      else if (char === quote) quote = '';
    } else if (char === '\\') at++;
    else if (char === "'" || char === '"') quote = char;
    else if (char === '(') depth++;
    else if (char === ')' && --depth === 0) return at + 1;
  }
  return -1;
}

interface Word {
  readonly end: number;
  readonly token: ShellToken;
}

function readWord(text: string, start: number): Word | undefined {
  let value = '';
  let expands = false;
  let substitution: { readonly start: number; readonly end: number; readonly inner: string } | undefined;
  let quote = '';
  let at = start;
  for (; at < text.length; at++) {
    const char = text[at] ?? '';
    if (quote === "'") {
      if (char === "'") quote = '';
      else value += char;
    } else if (char === '\\') {
      const next = text[at + 1];
      if (next === undefined) return undefined;
      if (quote === '"' && !'$`"\\\n'.includes(next)) value += char;
      if (next !== '\n') value += next;
      at++;
    } else if (char === '$' && text[at + 1] === '(') {
      const end = closing(text, at + 2);
      if (end < 0) return undefined;
      substitution = { start: at, end, inner: text.slice(at + 2, end - 1) };
      expands = true;
      value += text.slice(at, end);
      at = end - 1;
    } else if (char === '`') {
      const end = text.indexOf('`', at + 1);
      if (end < 0) return undefined;
      substitution = { start: at, end: end + 1, inner: text.slice(at + 1, end) };
      expands = true;
      value += text.slice(at, end + 1);
      at = end;
    } else if (char === '$' && quote === '' && (text[at + 1] === "'" || text[at + 1] === '"')) {
      // $'…' has escapes of its own.
      return undefined;
    } else if (quote === '"') {
      if (char === '"') quote = '';
      else value += char;
      if (char === '$') expands = true;
    } else if (char === "'" || char === '"') {
      quote = char;
    } else if (' \t\r\n;&|()<>'.includes(char)) {
      break;
    } else {
      value += char;
      if (char === '$') expands = true;
    }
  }
  if (quote !== '') return undefined;
  if (substitution !== undefined && substitution.start === start && substitution.end === at) {
    return { end: at, token: { kind: 'substitution', text: substitution.inner } };
  }
  return { end: at, token: { kind: expands ? 'expansion' : 'word', text: value } };
}

export function tokenizeShell(text: string): readonly ShellToken[] | undefined {
  const tokens: ShellToken[] = [];
  for (let at = 0; at < text.length;) {
    if (tokens.length >= MAX_TOKENS) return undefined;
    BLANK.lastIndex = at;
    if (BLANK.test(text)) {
      at = BLANK.lastIndex;
      continue;
    }
    if (text[at] === '#') {
      const end = text.indexOf('\n', at);
      at = end < 0 ? text.length : end;
      continue;
    }
    if (text.startsWith('<<', at) && !text.startsWith('<<<', at)) return undefined;
    OPERATOR.lastIndex = at;
    const operator = OPERATOR.exec(text);
    if (operator !== null) {
      tokens.push({ kind: 'operator', text: operator[0] });
      at = OPERATOR.lastIndex;
      continue;
    }
    const word = readWord(text, at);
    if (word === undefined) return undefined;
    tokens.push(word.token);
    at = word.end;
  }
  return tokens;
}

const NEEDS_QUOTES = /[\s;&|()<>#"'\\$`]/;

/** A word as a shell would read it back, or undefined where quoting would need quotes inside quotes. */
export function quoteWord(word: string): string | undefined {
  if (word !== '' && !NEEDS_QUOTES.test(word)) return word;
  return word.includes("'") ? undefined : `'${word}'`;
}
