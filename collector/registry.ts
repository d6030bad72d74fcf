/**
 * Who may send: `nodes.yaml`, with each node's role, cohort, batch key and transport key. Read again when it changes;
 * a version with a mistake is told and the one before it stays in force.
 */
import type { Node } from 'yaml';
import { ProtocolError } from '#protocol/error.ts';
import { parseVerifierKey, type VerifierKey } from '#protocol/note.ts';
import { isNodeName, ROLES, type Role } from '#protocol/statement.ts';
import { stampOf } from './disk.ts';
import { didYouMean } from '../config/suggest.ts';
import { readTrusted } from '../config/trusted.ts';
import { ConfigError, readList, readMap, readYaml, scalarOf, type Place } from '../config/yaml.ts';

export interface RegisteredNode {
  readonly name: string;
  readonly role: Role;
  readonly cohort: string;
  readonly batchKey: VerifierKey;
  /** Keys that signed before, the latest first; they prove the past and are taken for nothing new. */
  readonly formerKeys: readonly VerifierKey[];
  /** `sha256/` and the base64 of the SHA-256 of the client's public key (SPKI, DER). */
  readonly transportKey: string;
}

/** Some ten thousand nodes. */
const MAX_BYTES = 4 << 20;
const NODE_KEYS = ['name', 'role', 'cohort', 'batch_key', 'transport_key', 'former_keys'];
const PIN = /^sha256\/[A-Za-z0-9+/]{43}=$/;

export function parseRegistry(text: string, file: string): ReadonlyMap<string, RegisteredNode> {
  const yaml = readYaml(text, file);
  const nodes = new Map<string, RegisteredNode>();
  const pins = new Set<string>();
  for (const item of readList(readMap(yaml.root, 'nodes', ['nodes'], yaml).get('nodes'), 'nodes', yaml)) {
    const node = parseNode(item, yaml);
    if (node === undefined) continue;
    if (nodes.has(node.name)) yaml.tell(node.name, 'stands twice; a name belongs to one node', item);
    if (pins.has(node.transportKey)) yaml.tell(node.name, 'has the transport key of another node', item);
    nodes.set(node.name, node);
    pins.add(node.transportKey);
  }
  if (yaml.problems.length > 0) throw new ConfigError(yaml.problems.join('\n'));
  return nodes;
}

function parseNode(item: Node, place: Place): RegisteredNode | undefined {
  const values = readMap(item, 'nodes', NODE_KEYS, place);
  const text = (key: string, isRight: (text: string) => boolean, shouldBe: string): string | undefined => {
    const value = scalarOf(values.get(key));
    if (typeof value === 'string' && isRight(value)) return value;
    const near = key === 'role' ? didYouMean(String(value), ROLES) : '';
    return place.tell(key, `must be ${shouldBe}${near}`, values.get(key) ?? item);
  };
  const nameForm = 'a name of a-z, 0-9, dot and dash, at most 63 characters';
  const name = text('name', isNodeName, nameForm);
  const role = ROLES.find(
    (each) => each === text('role', (value) => ROLES.some((known) => known === value), `one of ${ROLES.join(', ')}`),
  );
  const cohort = text('cohort', isNodeName, nameForm);
  const transportKey = text('transport_key', (pin) => PIN.test(pin), 'sha256/ and 44 characters of base64');
  const batchKey = parseKey(
    text('batch_key', () => true, 'NAME+ID+BASE64, as in identity.pub'),
    values.get('batch_key'),
    place,
  );
  const former = values.get('former_keys');
  const formerKeys = former === undefined ? [] : readList(former, 'former_keys', place);
  const parsed = formerKeys.map((node) => parseKey(String(scalarOf(node)), node, place));
  if (!name || !role || !cohort || !transportKey || !batchKey) return undefined;
  if (batchKey.name !== name) return place.tell('batch_key', `is a key of ${batchKey.name}, not of ${name}`, item);
  const keys = parsed.filter((key) => key !== undefined);
  if (keys.some((key) => key.name !== name)) return place.tell('former_keys', `are not all of ${name}`, item);
  return { name, role, cohort, batchKey, formerKeys: keys, transportKey };
}

function parseKey(vkey: string | undefined, node: Node | undefined, place: Place): VerifierKey | undefined {
  if (vkey === undefined) return undefined;
  try {
    return parseVerifierKey(vkey.trim());
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return place.tell('batch_key', `${error.message}; copy the line of identity.pub`, node ?? null);
  }
}

/** The registry in force. */
export class Registry {
  readonly #file: string;
  #stamp: string;
  #nodes: ReadonlyMap<string, RegisteredNode>;

  private constructor(file: string) {
    this.#file = file;
    this.#stamp = stampOf(file);
    this.#nodes = parseRegistry(readTrusted(file, MAX_BYTES), file);
  }

  static open(file: string): Registry {
    return new Registry(file);
  }

  node(name: string): RegisteredNode | undefined {
    return this.#nodes.get(name);
  }

  nodes(): readonly RegisteredNode[] {
    return [...this.#nodes.values()];
  }

  ofTransportKey(pin: string): RegisteredNode | undefined {
    return this.nodes().find((node) => node.transportKey === pin);
  }

  /** Reads the file, changed or not, and gives what puts it in force. Throws ConfigError. */
  prepare(): () => void {
    const stamp = stampOf(this.#file);
    const nodes = parseRegistry(readTrusted(this.#file, MAX_BYTES), this.#file);
    return () => {
      this.#stamp = stamp;
      this.#nodes = nodes;
    };
  }

  /** Reads the file again if it changed: whether it did. Throws ConfigError once for each version that is wrong. */
  refresh(): boolean {
    const stamp = stampOf(this.#file);
    if (stamp === this.#stamp) return false;
    this.#stamp = stamp;
    this.#nodes = parseRegistry(readTrusted(this.#file, MAX_BYTES), this.#file);
    return true;
  }
}
