/**
 * Canaries to be planted in a running system: secrets and personal data of every kind as they get into command lines, names,
 * memory, questions; what must then be found nowhere, and what has to be seen of it.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { tokenizeShell } from '../../redaction-rules/shell.ts';
import { Chance, POSITIONS, type Canary } from '../redaction-rules/canaries.ts';
import { CHECKOUT } from './stack.ts';

const COMMANDS = new URL('../../../shared/data/commands/', import.meta.url);
const commands = ['malicious.cm', 'nl2bash.cm']
  .flatMap((name) => readFileSync(new URL(name, COMMANDS), 'utf8').split('\n'))
  .flatMap((line) => {
    const words = tokenizeShell(line)?.map((token) => token.text) ?? [];
    return words.length > 0 && words.length < 20 && !words.some((word) => word.includes('\0')) ? [words] : [];
  });

/** Long enough that no pseudonym and no number looks like one by chance. */
class Long extends Chance {
  override word(): string {
    return super.word() + super.word();
  }

  override digits(length: number): string {
    return super.digits(length < 7 ? length : 2 * length);
  }
}

export interface Deed {
  readonly do: string;
  readonly text: string;
  readonly args?: readonly string[];
}

/** A byte a character. */
const bytesOf = (text: string): string => Buffer.from(text).toString('latin1');
const nameOf = (text: string): string => bytesOf(text).replaceAll('/', '%').replaceAll('\n', '~').slice(0, 180);
const labelOf = (text: string): string => text.replaceAll(/[^A-Za-z0-9_-]/g, '-').slice(0, 100);

/** As it may stand in an argument or a path, beside as it is. */
const ENCODED: Readonly<Record<string, (text: string) => string>> = {
  base64: (text) => Buffer.from(text).toString('base64'),
  'base64 for URLs': (text) => Buffer.from(`:${text}`).toString('base64url'),
  hex: (text) => Buffer.from(text).toString('hex'),
  percent: (text) => encodeURIComponent(text),
  'every letter in percent': (text) => [...Buffer.from(text)].map((byte) => `%${byte.toString(16)}`).join(''),
  quoted: (text) => `"${text}"`,
  escaped: (text) => text.replaceAll(/[^]/g, (letter) => `\\${letter}`),
  'in JSON': (text) => JSON.stringify({ [text]: [text] }),
  'in XML': (text) => `<a b="${text}">${text}</a>`,
};

export interface Planted {
  readonly deeds: readonly Deed[];
  /** By canary: what of it must stand nowhere. */
  readonly telling: Readonly<Record<string, readonly string[]>>;
}

const SHORTEST = 8;

/** Of the places in a command line each kind takes every third; all places together have every kind, in the tests of the rules. */
const EVERY = 3;

export function plant(kind: string, nth: number, make: (chance: Chance) => Canary, every = EVERY): Planted {
  const chance = new Long(`${kind}, for real`);
  const telling: Record<string, readonly string[]> = {};
  const fresh = (place: string): string => {
    const canary = make(chance);
    const parts = canary.telling.filter((part) => part.length >= SHORTEST);
    telling[`${kind}: ${place}`] = parts.length > 0 ? parts : [canary.text];
    return canary.text;
  };
  const spliced = (put: readonly string[]): Deed => {
    const words = chance.pick(commands);
    const at = 1 + chance.below(words.length);
    return { do: 'exec', text: '', args: [...words.slice(0, at), ...put, ...words.slice(at)].map(bytesOf) };
  };
  const places = Object.entries(POSITIONS)
    .filter((_, i) => (i + nth) % every === 0)
    .map(([place, put]) => spliced(put(fresh(place))));
  const ways = Object.entries(ENCODED).filter((_, i) => (i + nth) % Math.ceil(every / EVERY) === 0);
  const encoded = ways.flatMap(([how, encode]) => {
    const text = encode(fresh(how));
    return [spliced([text]), ...(how.startsWith('base64') ? [{ do: 'file', text: nameOf(text) }] : [])];
  });
  const broken = bytesOf(fresh('between bytes that are no UTF-8'));
  const long = bytesOf(fresh('at the end of a long argument'));
  const halves = fresh('split over two arguments');
  return {
    telling,
    deeds: [
      ...places,
      ...encoded,
      { do: 'exec', text: '', args: ['curl', `\xff${broken}\xfe`, `--key=\xc3${broken}`, `/tmp/\xff/${broken}`] },
      { do: 'file', text: `\xff${nameOf(broken)}\xfe` },
      { do: 'exec', text: '', args: ['x', 'a'.repeat(5_000) + long, long + 'a'.repeat(5_000)] },
      { do: 'exec', text: '', args: [halves.slice(0, 5), halves.slice(5)].map(bytesOf) },
      { do: 'env', text: bytesOf(fresh('the environment')) },
      ...['cwd', 'program', 'file', 'unix', 'thread', 'script'].map((what) => ({
        do: what,
        text: nameOf(fresh(what)),
      })),
      { do: 'memory', text: nameOf(fresh('memory')) },
      { do: 'dns', text: labelOf(fresh('a name that is asked for')) },
    ],
  };
}

export async function runDeeds(work: string, deeds: readonly Deed[]): Promise<unknown> {
  const child = spawn('python3', [join(CHECKOUT, 'test/e2e/canary-deeds.py'), work], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  child.stdin.end(JSON.stringify(deeds));
  const status = await new Promise((settle) => child.once('close', settle));
  if (status !== 0) throw new Error(`the deeds ended with ${String(status)}: ${stderr.slice(-2_000)}`);
  return JSON.parse(stdout);
}

/** Which events a deed makes, at least once each time. */
export const SEEN_BY: Readonly<Record<string, string>> = {
  'file.rename': 'file',
  'file.delete': 'file',
  'file.link': 'file',
  'file.mode.change': 'file',
  'file.memory.create': 'memory',
  'dns.query': 'dns',
};

/** How many canaries of each kind were kept back, of how many; those that were not first. */
export function report(
  where: string,
  planted: readonly (Planted & { readonly kind: string })[],
  found: readonly string[],
): string {
  const rows = planted.map(({ kind, telling }) => {
    const names = Object.keys(telling);
    const missed = names.filter((name) => found.some((where) => where.startsWith(`${name} in `))).length;
    return { kind, tried: names.length, recall: 1 - missed / names.length };
  });
  const leaky = rows.filter(({ recall }) => recall < 1).toSorted((a, b) => a.recall - b.recall);
  const tried = rows.reduce((sum, row) => sum + row.tried, 0);
  return [
    `${where}: ${tried} canaries of ${rows.length} kinds, recall by kind:`,
    ...leaky.map((row) => `${(row.recall * 100).toFixed(2).padStart(7)} % of ${row.tried}: ${row.kind}`),
    ` 100.00 %: each of ${rows.length - leaky.length} kinds`,
  ].join('\n');
}
