/**
 * What a piece of text looks like: a plain name, or something random that may be a key, a token or an identifier.
 *
 * The second net, never the first: lists decide what stays readable, shapes only take more away. Every test here is
 * one pass over bounded text.
 */
import { CAPITAL, CONSONANT, DIGIT, HEX, kindOf, LETTER } from './characters.ts';

/** Textual principals and canister ids of the Internet Computer: groups of five, the last one shorter. */
const PRINCIPAL = /^(?:[a-z2-7]{5}-){2,11}[a-z2-7]{1,5}$/i;
const TOKEN =
  /^(?:gh[pousr]_|github_pat_|glpat-|xox[a-z]-|sk[-_]|pk_|rk_|AKIA|ASIA|AIza|ya29\.|eyJ|npm_|pypi-|hf_|dop_v|SG\.|ssh-(?:rsa|dss|ed25519)|ecdsa-|-----BEGIN|AGE-SECRET-KEY)/;

/** Longer runs of one kind are not chosen by people. A uuid ends in twelve hexadecimal digits. */
const MANY_HEX = 12;
const MANY_DIGITS = 7;
const MANY_CONSONANTS = 6;
/** Shorter runs of letters and digits are not looked into. */
const SHORT_RUN = 6;

/** Letters and digits that change places often, or a long mix of cases and digits: chosen by a machine, not by a person. */
function isScrambled(text: string, start: number, end: number): boolean {
  let changes = 0;
  let upper = 0;
  let lower = 0;
  let digits = 0;
  let before = kindOf(text.charCodeAt(start)) & DIGIT;
  for (let at = start; at < end; at++) {
    const kind = kindOf(text.charCodeAt(at));
    if ((kind & DIGIT) !== 0) digits++;
    else if ((kind & CAPITAL) !== 0) upper++;
    else lower++;
    if ((kind & DIGIT) !== before) changes++;
    before = kind & DIGIT;
  }
  if (changes >= 4) return true;
  const length = end - start;
  if (length >= 8 && changes >= 3) return true;
  return length >= 12 && ((digits >= 3 && lower > 0 && upper > 0) || (upper >= 3 && lower >= 3));
}

/** Contains what keys, tokens, digests, uuids or canister ids are made of. */
export function looksRandom(text: string): boolean {
  let hex = 0;
  let digits = 0;
  let consonants = 0;
  let start = 0;
  for (let at = 0; at < text.length; at++) {
    const kind = kindOf(text.charCodeAt(at));
    hex = (kind & HEX) === 0 ? 0 : hex + 1;
    digits = (kind & DIGIT) === 0 ? 0 : digits + 1;
    consonants = (kind & CONSONANT) === 0 ? 0 : consonants + 1;
    if (hex === MANY_HEX || digits === MANY_DIGITS || consonants === MANY_CONSONANTS) return true;
    if ((kind & (LETTER | DIGIT)) !== 0) continue;
    if (at - start >= SHORT_RUN && isScrambled(text, start, at)) return true;
    start = at + 1;
  }
  if (text.length - start >= SHORT_RUN && isScrambled(text, start, text.length)) return true;
  return TOKEN.test(text) || PRINCIPAL.test(text);
}

const PLAIN = /^[A-Za-z0-9._+-]{1,48}$/;
/** What begins like a pseudonym is never taken for a name, so that a released text has one meaning. */
const LIKE_PSEUDONYM = /^\.?p-[a-z2-7]{8}/;

/** A name as software has them: short, of ordinary characters, and not random. */
export const isPlainName = (text: string): boolean =>
  PLAIN.test(text) && !LIKE_PSEUDONYM.test(text) && !looksRandom(text);

const SECRETIVE =
  /pass|pwd|secret|token|key|auth|cred|cookie|session|private|^pin$|[-_]pin$|^pin[-_]|otp|salt|seed|mnemonic|bearer|jwt|header|signature|license|login/i;

/** The name of an option or a variable whose value is a secret more often than not. */
export const isSecretive = (name: string): boolean => SECRETIVE.test(name);

/** Stands where something was taken away. */
export const GONE = '…';
