/**
 * `hushwatch keys`: what the privacy authority does, far from any collector. It makes the roots of pseudonyms that nodes of
 * a cohort, or all nodes, share, and seals them to each node. `keys node` is for the node itself.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  formatSigningKey,
  formatVerifierKey,
  generateSigningKey,
  parseSigningKey,
  type SigningKey,
} from '#protocol/note.ts';
import { HOUR_US, KEY_BYTES, type TurningRoot } from './keys.ts';
import { generateSealKey, packRoot, sealKeys, SealedKeysError, unpackRoot } from './sealed-keys.ts';

const USAGE = `usage: hushwatch keys init NAME --out DIRECTORY
       hushwatch keys node --out FILE
       hushwatch keys seal NODE --cohort COHORT --public KEY --authority DIRECTORY --out FILE [--fleet]
       hushwatch keys rotate [COHORT] --authority DIRECTORY

init     an authority: its key, and where its roots will be; prints the line for the configuration of nodes
node     on a node: the key that opens what is sealed for it; prints the public half, for the authority
seal     the cohort's root, and with --fleet that of all nodes, for one node; the file may travel openly
rotate   a new root for the cohort, or without a name for the fleet; seal again for every node

example: hushwatch keys seal node-1 --cohort subnet-1 --public $(cat node-1.public) --authority authority/ --out node-1.keys
`;

const DONE = 0;
const FAILED = 1;
const WRONG_USAGE = 2;

export async function main(args: string[]): Promise<number> {
  const [verb = '', ...rest] = args;
  const command = Object.hasOwn(COMMANDS, verb) ? COMMANDS[verb] : undefined;
  if (command === undefined) return usage(verb === '' ? 'say what to do' : `no command ${verb}`);
  try {
    await command(rest);
    return DONE;
  } catch (error) {
    if (error instanceof KeysUsage) return usage(error.message);
    if (error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS'))
      return usage(error.message.charAt(0).toLowerCase() + error.message.slice(1));
    if (error instanceof SealedKeysError || (error instanceof Error && 'code' in error)) {
      process.stderr.write(`hushwatch keys: ${error.message}\n`);
      return FAILED;
    }
    throw error;
  }
}

class KeysUsage extends Error {}

function usage(problem: string): number {
  process.stderr.write(`hushwatch keys: ${problem}\n${USAGE}`);
  return WRONG_USAGE;
}

const COMMANDS: Readonly<Record<string, (args: string[]) => Promise<void> | void>> = { init, node, seal, rotate };

function init(args: string[]): void {
  const { positionals, values } = parseArgs({ args, allowPositionals: true, options: { out: { type: 'string' } } });
  const [name] = positionals;
  if (name === undefined || values.out === undefined) throw new KeysUsage('init wants a name and --out DIRECTORY');
  mkdirSync(values.out, { recursive: true, mode: 0o700 });
  const key = generateSigningKey(name);
  writeFileSync(join(values.out, 'authority.key'), formatSigningKey(key), { mode: 0o600, flag: 'wx' });
  writeFileSync(join(values.out, 'authority.pub'), `${formatVerifierKey(key.verifier)}\n`, { flag: 'wx' });
  process.stdout.write(`${formatVerifierKey(key.verifier)}\n`);
}

async function node(args: string[]): Promise<void> {
  const { values } = parseArgs({ args, options: { out: { type: 'string' } } });
  if (values.out === undefined) throw new KeysUsage('node wants --out FILE');
  const key = await generateSealKey();
  writeFileSync(values.out, `${Buffer.from(key.secret).toString('base64')}\n`, { mode: 0o600, flag: 'wx' });
  process.stdout.write(`${Buffer.from(key.public).toString('base64')}\n`);
}

async function seal(args: string[]): Promise<void> {
  const { positionals, values } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      cohort: { type: 'string' },
      public: { type: 'string' },
      authority: { type: 'string' },
      out: { type: 'string' },
      fleet: { type: 'boolean', default: false },
    },
  });
  const [name] = positionals;
  const { cohort, public: publicKey, authority, out } = values;
  if (
    name === undefined ||
    cohort === undefined ||
    publicKey === undefined ||
    authority === undefined ||
    out === undefined
  )
    throw new KeysUsage('seal wants a node, --cohort, --public, --authority and --out');
  const roots = {
    cohort: rootOf(authority, `cohort-${cohort}`),
    fleet: values.fleet ? rootOf(authority, 'fleet') : undefined,
  };
  const to = { node: name, cohort, publicKey: Buffer.from(publicKey, 'base64') };
  writeFileSync(`${out}.new`, await sealKeys(to, roots, authorityKey(authority)), { mode: 0o644 });
  renameSync(`${out}.new`, out);
}

function rotate(args: string[]): void {
  const { positionals, values } = parseArgs({
    args,
    allowPositionals: true,
    options: { authority: { type: 'string' } },
  });
  const [cohort] = positionals;
  if (values.authority === undefined) throw new KeysUsage('rotate wants --authority DIRECTORY');
  makeRoot(values.authority, cohort === undefined ? 'fleet' : `cohort-${cohort}`);
}

function authorityKey(directory: string): SigningKey {
  const [name = ''] = readFileSync(join(directory, 'authority.pub'), 'utf8').split('+', 1);
  return parseSigningKey(name, readFileSync(join(directory, 'authority.key'), 'utf8'));
}

const isRootName = (name: string): boolean => /^(?:fleet|cohort-[a-z0-9][a-z0-9.-]{0,62})$/.test(name);

/** Made when it is first asked for. */
function rootOf(directory: string, name: string): TurningRoot {
  const file = join(directory, `${name}.root`);
  return isRootName(name) && existsSync(file)
    ? unpackRoot(Buffer.from(readFileSync(file, 'latin1').trim(), 'base64'))
    : makeRoot(directory, name);
}

function makeRoot(directory: string, name: string): TurningRoot {
  if (!isRootName(name)) throw new KeysUsage('a cohort is named by lower-case letters, digits, dots and dashes');
  const root = {
    lasting: randomBytes(KEY_BYTES),
    hour: Math.floor((Date.now() * 1_000) / HOUR_US),
    chain: randomBytes(KEY_BYTES),
  };
  const file = join(directory, `${name}.root`);
  writeFileSync(`${file}.new`, `${Buffer.from(packRoot(root)).toString('base64')}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
  return root;
}
