/**
 * What a piece of text looks like: a plain name, or something random that may be a key, a token or an identifier.
 *
 * The second net, never the first: lists decide what stays readable, shapes only take more away. Every test here is
 * one pass over bounded text.
 */

const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i;
/** Textual principals and canister ids of the Internet Computer: groups of five, the last one shorter. */
const PRINCIPAL = /^(?:[a-z2-7]{5}-){2,11}[a-z2-7]{1,5}$/i;
const HEX_RUN = /[0-9a-f]{12}/i;
const DIGIT_RUN = /[0-9]{7}/;
const CONSONANT_RUN = /[bcdfghjklmnpqrstvwxz]{6}/i;
const TOKEN =
  /^(?:gh[pousr]_|github_pat_|glpat-|xox[a-z]-|sk[-_]|pk_|rk_|AKIA|ASIA|AIza|ya29\.|eyJ|npm_|pypi-|hf_|dop_v|SG\.|ssh-(?:rsa|dss|ed25519)|ecdsa-|-----BEGIN|AGE-SECRET-KEY)/;

const isLetter = (code: number): boolean => (code | 32) >= 97 && (code | 32) <= 122;
const isDigit = (code: number): boolean => code >= 48 && code <= 57;

/** Letters and digits that change places often, or a long mix of cases and digits: chosen by a machine, not by a person. */
function isScrambled(run: string): boolean {
  let changes = 0;
  let upper = 0;
  let lower = 0;
  let digits = 0;
  for (let at = 0; at < run.length; at++) {
    const code = run.charCodeAt(at);
    if (isDigit(code)) digits++;
    else if (code >= 97) lower++;
    else upper++;
    if (at > 0 && isDigit(code) !== isDigit(run.charCodeAt(at - 1))) changes++;
  }
  if (changes >= 4) return true;
  if (run.length >= 8 && changes >= 3) return true;
  return run.length >= 12 && ((digits >= 3 && lower > 0 && upper > 0) || (upper >= 3 && lower >= 3));
}

/** Contains what keys, tokens, digests, uuids or canister ids are made of. */
export function looksRandom(text: string): boolean {
  if (HEX_RUN.test(text) || DIGIT_RUN.test(text) || CONSONANT_RUN.test(text)) return true;
  if (UUID.test(text) || PRINCIPAL.test(text) || TOKEN.test(text)) return true;
  let start = -1;
  for (let at = 0; at <= text.length; at++) {
    const code = at < text.length ? text.charCodeAt(at) : 0;
    if (isLetter(code) || isDigit(code)) {
      if (start < 0) start = at;
    } else if (start >= 0) {
      if (at - start >= 6 && isScrambled(text.slice(start, at))) return true;
      start = -1;
    }
  }
  return false;
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
