/**
 * How a node comes to a collector without either trusting the way between: two files, carried by people.
 *
 *     collector invite -> INVITATION -> node: enroll -> ENTRY -> collector admit
 *
 * The invitation holds nothing secret: where the collector is and how to know it, and the approved rules with their proofs. The
 * entry holds the node's public keys. Who can change either on the way can keep a node out, stand between the two, or let in
 * another node; so people compare the keys that the commands print on either side. Whole keys: a key can be made for a short id.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseReviewers } from '#protocol/approval.ts';
import { parseDocument } from 'yaml';
import { ProtocolError } from '#protocol/error.ts';
import { formatVerifierKey } from '#protocol/note.ts';
import { isNodeName, ROLES, type Role } from '#protocol/statement.ts';
import { parseRuleset, RulesetError } from '../redaction-rules/ruleset.ts';
import { loadPack, packFiles, STARTER_PACK } from './detectors/pack.ts';
import { replaceOwned } from './owned-file.ts';
import { parseRegistry, type RegisteredNode } from './registry.ts';
import { ConfigError } from '../config/yaml.ts';

/** JSON, at most {@link MAX_INVITATION_BYTES}. Contents of files by their names, which lead nowhere but below their directory. */
export interface Invitation {
  readonly hushwatch: 'invitation/1';
  readonly node: string;
  readonly role: Role;
  readonly cohort: string;
  readonly collector: string;
  readonly collector_pin: string;
  readonly log_key: string;
  readonly reviewers: string;
  readonly ruleset: string;
  readonly pack: Readonly<Record<string, string>>;
  readonly approvals: Readonly<Record<string, string>>;
}

export const MAX_INVITATION_BYTES = 4 << 20;

export interface Invited {
  readonly home: string;
  readonly node: string;
  readonly role: Role;
  readonly cohort: string;
  /** `wss://HOST:PORT/v1/ship` */
  readonly url: string;
  readonly pin: string;
  readonly ruleset: string;
  readonly pack: string;
}

export function invite({ home, node, role, cohort, url, pin, ruleset, pack }: Invited): Invitation {
  const rules = readFileSync(ruleset, 'utf8');
  const parsed = parseRuleset(rules, ruleset);
  if (parsed.role !== role) throw new ConfigError(`${ruleset}: is for role ${parsed.role}, the node is ${role}`);
  const digests = [parsed.digest, loadPack(pack).digest];
  return {
    hushwatch: 'invitation/1',
    node,
    role,
    cohort,
    collector: url,
    collector_pin: pin,
    log_key: readFileSync(join(home, 'log.pub'), 'utf8').trim(),
    reviewers: readFileSync(join(home, 'reviewers'), 'utf8'),
    ruleset: rules,
    pack: Object.fromEntries(packFiles(pack).map(({ name, bytes }) => [name, bytes.toString('utf8')])),
    approvals: Object.fromEntries(digests.flatMap((digest) => approvalOf(home, digest))),
  };
}

/** The one approved ruleset of `rulesets/` for this role. */
export function approvedRuleset(home: string, role: Role): string {
  const files = readdirSync(join(home, 'rulesets')).filter((name) => name.endsWith('.yaml'));
  const approved = new Map<string, string>();
  for (const file of files.toSorted().map((name) => join(home, 'rulesets', name))) {
    const ruleset = parseRuleset(readFileSync(file, 'utf8'), file);
    if (ruleset.role === role && isApproved(home, ruleset.digest)) approved.set(ruleset.digest, file);
  }
  return theOne([...approved.values()], `ruleset for role ${role}`, '--ruleset FILE');
}

/** The one approved rule pack: of `packs/`, or the one that comes along. */
export function approvedPack(home: string): string {
  const approved = new Map<string, string>();
  for (const pack of [STARTER_PACK, ...readdirSync(join(home, 'packs')).map((name) => join(home, 'packs', name))]) {
    const { digest } = loadPack(pack);
    if (isApproved(home, digest)) approved.set(digest, pack);
  }
  return theOne([...approved.values()], 'rule pack', '--pack DIRECTORY');
}

function theOne(found: readonly string[], what: string, option: string): string {
  const [one, ...others] = found;
  if (one === undefined)
    throw new ConfigError(`no ${what} is approved and published here; see hushwatch rules approve, publish`);
  if (others.length > 0)
    throw new ConfigError(`more than one ${what} is approved; say which with ${option}: ${found.join(', ')}`);
  return one;
}

const isApproved = (home: string, digest: string): boolean =>
  existsSync(join(home, 'approvals', `${digest}.tlog-proof`));

function approvalOf(home: string, digest: string): readonly (readonly [string, string])[] {
  return ['approval', 'tlog-proof'].map((ending) => {
    const file = join(home, 'approvals', `${digest}.${ending}`);
    if (!existsSync(file))
      throw new ConfigError(
        `${file}: no such file; have the rules approved and published (hushwatch rules approve, publish)`,
      );
    return [basename(file), readFileSync(file, 'utf8')];
  });
}

/** What another machine wrote: everything is checked before anything is written. */
export function parseInvitation(text: string, file: string): Invitation {
  const wrong = (what: string): never => {
    throw new ConfigError(`${file}: ${what}; make it anew with hushwatch collector invite`);
  };
  if (text.length > MAX_INVITATION_BYTES) wrong(`larger than ${MAX_INVITATION_BYTES} bytes`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    wrong('is not JSON');
  }
  const member = (name: string): unknown =>
    typeof value === 'object' && value !== null ? Object.getOwnPropertyDescriptor(value, name)?.value : undefined;
  const textOf = (name: string, isRight: (text: string) => boolean = () => true): string => {
    const found = member(name);
    return typeof found === 'string' && isRight(found) ? found : wrong(`${name} is missing or wrong`);
  };
  const textsOf = (name: string): Readonly<Record<string, string>> => {
    const found = member(name);
    const entries = typeof found === 'object' && found !== null ? Object.entries(found) : wrong(`${name} is missing`);
    return Object.fromEntries(
      entries.map(([key, content]): [string, string] =>
        /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}(?:\/[A-Za-z0-9_][A-Za-z0-9._-]{0,127}){0,3}$/.test(key) &&
        typeof content === 'string'
          ? [key, content]
          : wrong(`${name} holds what is no file name with a text`),
      ),
    );
  };
  if (member('hushwatch') !== 'invitation/1') wrong('is no invitation of this version');
  const role = ROLES.find((each) => each === member('role')) ?? wrong(`role must be one of ${ROLES.join(', ')}`);
  const invitation: Invitation = {
    hushwatch: 'invitation/1',
    node: textOf('node', isNodeName),
    role,
    cohort: textOf('cohort', isNodeName),
    collector: textOf('collector', (url) => /^wss:\/\/[^/\s]+(?:\/\S*)?$/.test(url)),
    collector_pin: textOf('collector_pin', (pin) => /^sha256\/[A-Za-z0-9+/]{43}=$/.test(pin)),
    log_key: textOf('log_key', (key) => /^\S+\+[0-9a-f]{8}\+\S+$/.test(key)),
    reviewers: textOf('reviewers'),
    ruleset: textOf('ruleset'),
    pack: textsOf('pack'),
    approvals: textsOf('approvals'),
  };
  try {
    parseReviewers(Buffer.from(invitation.reviewers));
    parseRuleset(invitation.ruleset, `${file}: ruleset`);
  } catch (error) {
    if (error instanceof ProtocolError || error instanceof RulesetError) wrong(error.message);
    throw error;
  }
  return invitation;
}

type NodeKeys = Pick<RegisteredNode, 'batchKey' | 'transportKey'>;

/** The keys of a side, a line each, to be compared by eye or read aloud. */
export const keysOfNode = ({ batchKey, transportKey }: NodeKeys): string =>
  `batch_key: ${formatVerifierKey(batchKey)}\ntransport_key: ${transportKey}`;
export const keysOfCollector = (pin: string, logKey: string): string => `collector_key: ${pin}\nlog_key: ${logKey}`;

/** Adds the node to `nodes.yaml`; a running collector sees it within a second. */
export function admit(home: string, entry: string, entryFile: string): RegisteredNode {
  const [node, more] = [...parseRegistry(`nodes:\n${entry}`, entryFile).values()];
  if (node === undefined || more !== undefined) throw new ConfigError(`${entryFile}: must hold one node`);
  const file = join(home, 'nodes.yaml');
  const before = readFileSync(file, 'utf8');
  const after = `${before.replace(/nodes: \[\]\s*$/, 'nodes:\n').replace(/\n*$/, '\n')}${entry.replace(/\n*$/, '\n')}`;
  // Twice the same name or key is refused here, before the running collector reads it.
  parseRegistry(after, file);
  replaceOwned(file, after, 0o640);
  return node;
}

/**
 * A node that is known has new keys, because its disk was wiped, say: they take the place of the former ones, which stay for
 * those who verify what they signed.
 */
export function renew(home: string, entry: string, entryFile: string): RegisteredNode {
  const [node, more] = [...parseRegistry(`nodes:\n${entry}`, entryFile).values()];
  if (node === undefined || more !== undefined) throw new ConfigError(`${entryFile}: must hold one node`);
  const file = join(home, 'nodes.yaml');
  const text = readFileSync(file, 'utf8');
  const nodes = parseRegistry(text, file);
  const known = nodes.get(node.name);
  if (known === undefined) throw new ConfigError(`${node.name} is not in ${file}; admit it without --renew`);
  if (known.role !== node.role || known.cohort !== node.cohort)
    throw new ConfigError(`${node.name} is ${known.role} of ${known.cohort}; as another it is another node`);
  const document = parseDocument(text);
  const at = ['nodes', [...nodes.keys()].indexOf(node.name)];
  const current = formatVerifierKey(node.batchKey);
  const former = [known.batchKey, ...known.formerKeys].map(formatVerifierKey).filter((key) => key !== current);
  document.setIn([...at, 'batch_key'], current);
  document.setIn([...at, 'transport_key'], node.transportKey);
  document.setIn([...at, 'former_keys'], document.createNode(former));
  const after = document.toString({ lineWidth: 0 });
  parseRegistry(after, file);
  replaceOwned(file, after, 0o640);
  return node;
}
