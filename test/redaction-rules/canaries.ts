/**
 * Secrets and personal data of many kinds, made up from a seed so that a failure can be repeated; and the places in which
 * people put them on a command line. Each says which parts of it would tell somebody something.
 */
import { createHash } from 'node:crypto';

/** Numbers that look random and are the same in each run. */
export class Chance {
  readonly #seed: string;
  #count = 0;

  constructor(seed: string) {
    this.#seed = seed;
  }

  bytes(length: number): Buffer {
    const parts: Buffer[] = [];
    for (let size = 0; size < length; size += 32) {
      parts.push(createHash('sha256').update(`${this.#seed} ${this.#count++}`).digest());
    }
    return Buffer.concat(parts).subarray(0, length);
  }

  below(limit: number): number {
    return this.bytes(4).readUInt32LE() % limit;
  }

  of(letters: string, length: number): string {
    return Array.from(this.bytes(length), (byte) => letters[byte % letters.length]).join('');
  }

  pick<T>(from: readonly T[]): T {
    const item = from[this.below(from.length)];
    if (item === undefined) throw new Error('nothing to pick from');
    return item;
  }

  /** A word that can be said and that no dictionary has. */
  word(): string {
    const syllable = (): string => this.of('bdfgklmnprtvz', 1) + this.of('aeiou', 1);
    return `${syllable()}${syllable()}${syllable()}${this.of('lnrst', 1)}`;
  }

  digits(length: number): string {
    return this.of('0123456789', length);
  }
}

const LOWER = 'abcdefghijklmnopqrstuvwxyz';
const ALPHANUMERIC = `${LOWER}ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789`;
const BASE32 = `${LOWER}234567`;

export interface Canary {
  readonly text: string;
  /** Parts that must stand nowhere; the whole text, if none is named. */
  readonly telling: readonly string[];
}

const whole = (text: string): Canary => ({ text, telling: [text] });
const upper = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
const alnum = (chance: Chance, length: number): string => chance.of(ALPHANUMERIC, length);
const segment = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

function about(...parts: readonly string[]): (form: (...parts: readonly string[]) => string) => Canary {
  return (form) => ({ text: form(...parts), telling: parts });
}

function principal(chance: Chance, groups: number): string {
  return [...Array.from({ length: groups }, () => chance.of(BASE32, 5)), chance.of(BASE32, 3)].join('-');
}

const secrets: Readonly<Record<string, (chance: Chance) => Canary>> = {
  'password, a word and digits': (chance) => whole(`${chance.word()}${chance.digits(2)}`),
  'password, a word': (chance) => whole(chance.word()),
  'password, mixed': (chance) => whole(`${upper(chance.word())}!${alnum(chance, 4)}#`),
  'password, random': (chance) => whole(alnum(chance, 16)),
  'passphrase with hyphens': (chance) =>
    about(chance.word(), chance.word(), chance.word())((...words) => words.join('-')),
  'passphrase with spaces': (chance) =>
    about(chance.word(), chance.word(), chance.word())((...words) => words.join(' ')),
  'password with quotes': (chance) => about(chance.word(), chance.word())((a, b) => `${a}'"${b}`),
  'password with a dollar': (chance) => about(chance.word(), chance.word())((a, b) => `${a}$${b}`),
  'password with at and colon': (chance) => about(chance.word(), chance.word())((a, b) => `${a}@${b}:x`),
  'long PIN': (chance) => whole(chance.digits(8)),
  'cloud access key id': (chance) => whole(`AKIA${chance.of('ABCDEFGHIJKLMNOPQRSTUVWXYZ234567', 16)}`),
  'cloud secret key': (chance) => whole(chance.bytes(30).toString('base64')),
  'forge token': (chance) => whole(`ghp_${alnum(chance, 36)}`),
  'forge fine-grained token': (chance) => whole(`github_pat_${alnum(chance, 22)}_${alnum(chance, 40)}`),
  'CI token': (chance) => whole(`glpat-${alnum(chance, 20)}`),
  'chat token': (chance) => whole(`xoxb-${chance.digits(11)}-${alnum(chance, 24)}`),
  'payment key': (chance) => whole(`sk_live_${alnum(chance, 24)}`),
  'map key': (chance) => whole(`AIza${alnum(chance, 35)}`),
  'package token': (chance) => whole(`npm_${alnum(chance, 36)}`),
  'model token': (chance) => whole(`hf_${alnum(chance, 34)}`),
  'mail token': (chance) => whole(`SG.${alnum(chance, 22)}.${alnum(chance, 43)}`),
  'vault token': (chance) => whole(`hvs.${alnum(chance, 24)}`),
  JWT: (chance) => whole(`${segment({ alg: 'ES256' })}.${segment({ sub: chance.word() })}.${alnum(chance, 43)}`),
  'bearer header': (chance) => about(alnum(chance, 32))((token) => `Authorization: Bearer ${token}`),
  'basic header': (chance) =>
    about(Buffer.from(`${chance.word()}:${chance.word()}`).toString('base64'))(
      (token) => `Authorization: Basic ${token}`,
    ),
  'basic pair': (chance) => about(chance.word(), chance.word())((user, secret) => `${user}:${secret}`),
  cookie: (chance) => about(alnum(chance, 26))((value) => `Cookie: sid=${value}; theme=dark`),
  'session id, hex': (chance) => whole(chance.bytes(16).toString('hex')),
  'symmetric key, base64': (chance) => whole(chance.bytes(32).toString('base64')),
  'private key, one line': (chance) =>
    about(alnum(chance, 60))((body) => `-----BEGIN PRIVATE KEY-----\\n${body}\\n-----END PRIVATE KEY-----`),
  'private key, PEM': (chance) =>
    about(alnum(chance, 60))(
      (body) => `-----BEGIN OPENSSH PRIVATE KEY-----\n${body}\n-----END OPENSSH PRIVATE KEY-----`,
    ),
  'SSH public key': (chance) =>
    about(alnum(chance, 43), chance.word())((key, who) => `ssh-ed25519 AAAAC3Nz${key} ${who}@laptop`),
  'file encryption key': (chance) => whole(`AGE-SECRET-KEY-1${chance.of('QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L', 58)}`),
  'seed words': (chance) =>
    about(chance.word(), chance.word(), chance.word(), chance.word())((...words) => words.join(' ')),
  'second factor': (chance) =>
    about(chance.of('ABCDEFGHIJKLMNOPQRSTUVWXYZ234567', 16))((secret) => `otpauth://totp/x?secret=${secret}`),
  'database URL': (chance) =>
    about(
      chance.word(),
      chance.word(),
      chance.word(),
    )((user, secret, host) => `postgres://${user}:${secret}@${host}.internal:5432/app`),
  'connection string': (chance) =>
    about(
      chance.word(),
      chance.word(),
      chance.word(),
    )((host, user, secret) => `Server=${host};Uid=${user};Pwd=${secret};`),
  'DSN, key and value': (chance) =>
    about(chance.word(), chance.word())((user, secret) => `host=db user=${user} password=${secret}`),
  'webhook URL': (chance) => about(alnum(chance, 24))((token) => `https://hooks.example.com/services/T0/B0/${token}`),
  'signed URL': (chance) =>
    about(chance.bytes(16).toString('hex'))((signature) => `https://b.example.com/o?X-Amz-Signature=${signature}`),
  'JSON body': (chance) =>
    about(chance.word(), chance.word())((user, secret) => `{"user":"${user}","password":"${secret}"}`),
  'form body': (chance) => about(chance.word(), chance.word())((user, secret) => `user=${user}&password=${secret}`),
  'base64 of a secret': (chance) => whole(Buffer.from(`password=${chance.word()}`).toString('base64')),
  'hex of a secret': (chance) => whole(Buffer.from(chance.word()).toString('hex')),
  'password hash': (chance) => about(alnum(chance, 16), alnum(chance, 43))((salt, hash) => `$6$${salt}$${hash}`),
};

const people: Readonly<Record<string, (chance: Chance) => Canary>> = {
  'e-mail': (chance) => about(chance.word(), chance.word(), chance.word())((a, b, c) => `${a}.${b}@${c}.example`),
  'e-mail with a tag': (chance) =>
    about(chance.word(), chance.word(), chance.word())((a, b, c) => `${a}+${b}@${c}.org`),
  'name of a person': (chance) => about(upper(chance.word()), upper(chance.word()))((a, b) => `${a} ${b}`),
  'user name': (chance) => whole(chance.word()),
  phone: (chance) => whole(`+49${chance.digits(10)}`),
  'phone with spaces': (chance) => about(chance.digits(7))((number) => `+1 555 ${number}`),
  'payment card': (chance) => whole(`4${chance.digits(15)}`),
  'payment card with hyphens': (chance) =>
    whole(`4${chance.digits(3)}-${chance.digits(4)}-${chance.digits(4)}-${chance.digits(4)}`),
  IBAN: (chance) => whole(`DE${chance.digits(20)}`),
  'social security number': (chance) => whole(`${chance.digits(3)}-${chance.digits(2)}-${chance.digits(4)}`),
  'date of birth': (chance) => whole(`19${chance.digits(2)}-0${1 + chance.below(9)}-1${chance.digits(1)}`),
  'place on earth': (chance) => whole(`52.${chance.digits(6)},13.${chance.digits(6)}`),
  'address of a machine': (chance) => whole(`203.0.113.${100 + chance.below(100)}`),
  'address of a machine, IPv6': (chance) =>
    whole(`2001:db8::${chance.of('123456789abcdef', 4)}:${chance.of('123456789abcdef', 4)}`),
  'hardware address': (chance) => whole(Array.from({ length: 6 }, () => chance.of('0123456789abcdef', 2)).join(':')),
  'name of a host': (chance) => about(chance.word(), chance.word())((a, b) => `${a}.${b}.internal`),
  'UUID of a customer': (chance) => {
    const hex = chance.bytes(16).toString('hex');
    return whole(`${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`);
  },
  'path in a home directory': (chance) =>
    about(chance.word(), chance.word())((user, file) => `/home/${user}/${file}.pdf`),
  'name of a document': (chance) => about(chance.word(), chance.word())((a, b) => `${a} ${b}.docx`),
  'name of a customer': (chance) => about(chance.word())((name) => `${name}-gmbh`),
  'canister id': (chance) => whole(principal(chance, 4)),
  principal: (chance) => whole(principal(chance, 10)),
  'wallet address': (chance) => whole(`0x${chance.bytes(20).toString('hex')}`),
};

export const KINDS: Readonly<Record<string, (chance: Chance) => Canary>> = { ...secrets, ...people };

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
/** In a script that nobody quotes only what shells take as one word. */
const bare = (text: string): string => (/^[\w@%+=:,./-]+$/.test(text) ? text : quoted(text));

/** Where a text can stand among arguments: what is put into the command line in its place. */
export const POSITIONS: Readonly<Record<string, (text: string) => readonly string[]>> = {
  'an argument': (text) => [text],
  'after --': (text) => ['--', text],
  'the value of a secret option': (text) => [`--password=${text}`],
  'after a secret option': (text) => ['--token', text],
  'the value of a known option': (text) => [`--name=${text}`],
  'after a known option': (text) => ['--file', text],
  'the value of an unknown option': (text) => [`--frobnicate=${text}`],
  'after an unknown option': (text) => ['--frobnicate', text],
  'the value of a short option': (text) => ['-o', text],
  'after -p': (text) => ['-p', text],
  'glued to -p': (text) => [`-p${text}`],
  'glued to another letter': (text) => [`-o${text}`],
  'after an option with one dash': (text) => ['-name', text],
  'a value after one dash': (text) => [`-pass=${text}`],
  'a prefix that openssl knows': (text) => ['-passin', `pass:${text}`],
  'the name of a long option': (text) => [`--${text}`],
  'the name of a short option': (text) => [`-${text}`],
  'a variable that is secret': (text) => [`API_KEY=${text}`],
  'a variable that is known': (text) => [`PATH=${text}`],
  'a variable that is not known': (text) => [`acme_thing=${text}`],
  'a header': (text) => ['-H', `X-Api-Key: ${text}`],
  'a header in a long option': (text) => [`--header=X-Thing: ${text}`],
  data: (text) => ['-d', text],
  'data in JSON': (text) => ['--data', JSON.stringify({ value: text })],
  'a field': (text) => ['-F', `file=@${text}`],
  'user of a URL': (text) => [`https://${encodeURIComponent(text)}@example.org/`],
  'password of a URL': (text) => [`https://user:${text}@example.org/`],
  'path of a URL': (text) => [`https://example.org/${text}`],
  'query of a URL': (text) => [`https://example.org/?q=${text}`],
  'end of a URL': (text) => [`https://example.org/#${text}`],
  'host of a URL': (text) => [`https://${text}/`],
  'user at a host': (text) => [`${text}@example.org`],
  'path at a host': (text) => [`root@example.org:/tmp/${text}`],
  'behind a colon': (text) => [`localhost:${text}`],
  'in a list with commas': (text) => [`one,${text},two`],
  'in a list of settings': (text) => [`type=bind,source=${text}`],
  'the last part of a path': (text) => [`/tmp/${text}`],
  'a directory of a path': (text) => [`/home/${text}/file`],
  'where programs are': (text) => [`/usr/bin/${text}`],
  'below a public directory': (text) => [`/usr/share/doc/${text}`],
  'an ending': (text) => [`/tmp/file.${text}`],
  'a relative path': (text) => [`./${text}`, `~/${text}`],
  'in brackets': (text) => [`[${text}]`],
  'in a sentence': (text) => ['-m', `fix what ${text} did`],
  'an expression': (text) => ['-e', `s/${text}/x/g`],
  'a question to a database': (text) => ['-e', `select * from t where c = "${text}"`],
  'a script': (text) => ['sh', '-c', `echo ${bare(text)}`],
  'a quoted word of a script': (text) => ['bash', '-c', `cat --key ${quoted(text)} | tee /tmp/x`],
  'a variable of a script': (text) => ['bash', '-c', `TOKEN=${bare(text)} curl -s https://example.org/`],
  'a pipe of a script': (text) => ['bash', '-c', `printf ${bare(text)} | base64 && echo done`],
  'a substitution of a script': (text) => ['bash', '-c', `kill $(cat ${bare(text)})`],
  'a here-document of a script': (text) => ['bash', '-c', `cat <<EOF\n${text}\nEOF`],
  'a here-string of a script': (text) => ['bash', '-c', `base64 <<< ${bare(text)}`],
  'a comment of a script': (text) => ['bash', '-c', `id # ${text}`],
  'a redirection of a script': (text) => ['bash', '-c', `id > ${bare(text)}`],
  'a function of a script': (text) => ['bash', '-c', `f() { echo ${bare(text)}; }; f`],
  'a script in a script': (text) => ['bash', '-c', `sh -c ${quoted(`echo ${bare(text)}`)}`],
  'a program of another language': (text) => ['python3', '-c', `print("${text}")`],
  'a command for another machine': (text) => ['ssh', 'example.org', `echo ${text} > /tmp/x`],
  'after env -S': (text) => ['env', '-S', `X=${text} id`],
  'in base64': (text) => [Buffer.from(text).toString('base64')],
};
