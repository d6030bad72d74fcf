/**
 * `collector.yaml`: every key once, with its meaning, its check and its default. The data directory is the one that
 * the file lies in. Unknown keys are errors.
 */
import { readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Node } from 'yaml';
import { isKeyName } from '#protocol/note.ts';
import { isTuned, KNOBS, type Knob, type Tuning } from './detectors/knobs.ts';
import { ConfigError, readList, readMap, readYaml, scalarOf, type Place } from './yaml-file.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface Syslog extends Address {
  /** Authorities that vouch for the receiver; the system's without. */
  readonly caFile: string | undefined;
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
}

export interface Otlp {
  readonly url: string;
  /** `name: value`, one a line. */
  readonly headersFile: string | undefined;
  readonly caFile: string | undefined;
}

export interface Webhook {
  readonly url: string;
  /** Key of the HMAC over each message. */
  readonly secretFile: string | undefined;
}

/** Reads a value; tells the place and gives `undefined` when it is wrong. */
type Parse<T> = (node: Node, name: string, place: Place) => T | undefined;

interface Key<T> {
  readonly says: string;
  readonly parse: Parse<T>;
  readonly fallback: T;
  /** The default as one writes it. */
  readonly written: string;
}

const key = <T>(says: string, parse: Parse<T>, fallback: T, written: string): Key<T> => ({
  says,
  parse,
  fallback,
  written,
});

const LOOPBACK = '127.0.0.1';

const KEYS = {
  origin: key(
    'Name of the log; its key and its checkpoints carry it.',
    parseOrigin,
    'localhost/hushwatch',
    'localhost/hushwatch',
  ),
  listen: key(
    'Where shippers connect and the log is served: HOST:PORT.',
    parseAddress,
    { host: LOOPBACK, port: 8441 },
    `${LOOPBACK}:8441`,
  ),
  dashboard: key(
    'Where the dashboard listens: HOST:PORT.',
    parseAddress,
    { host: LOOPBACK, port: 8440 },
    `${LOOPBACK}:8440`,
  ),
  metrics: key<Address | undefined>('Where `/metrics` is served: HOST:PORT.', parseAddress, undefined, ''),
  otlp_metrics: key<string | undefined>(
    'Where metrics are sent by OTLP over HTTP: an URL with its path, like https://otel.example.org:4318/v1/metrics.',
    parseUrl,
    undefined,
    '',
  ),
  silence_seconds: key('A node that sends nothing for longer alerts.', parseCount, 300, '300'),
  webhooks: key('Where stories are posted: a list of `url` and, to sign them, `secret_file`.', parseWebhooks, [], '[]'),
  syslog: key(
    'Where stories go as syslog over TLS: a list of `address`, and `ca_file`, `cert_file`, `key_file` if need be.',
    parseSyslog,
    [],
    '[]',
  ),
  otlp: key(
    'Where stories go as OTLP logs: a list of `url`, and `headers_file`, `ca_file` if need be.',
    parseOtlp,
    [],
    '[]',
  ),
  files: key('Files that stories are appended to, a JSON object a line.', parseFiles, [], '[]'),
  detectors: key(
    'Knobs of the baselines: DETECTOR: { KNOB: NUMBER }; `hushwatch detect knobs` lists them with their units.',
    parseTuning,
    {},
    '{}',
  ),
};

type Keys = typeof KEYS;
export type Config = { readonly [K in keyof Keys]: Keys[K] extends Key<infer T> ? T : never } & {
  /** The collector's data directory. */
  readonly home: string;
};

export function readConfig(file: string): Config {
  const { mode } = statSync(file);
  if ((mode & 0o002) !== 0) throw new ConfigError(`${file}: everyone may write it; chmod o-w ${file}`);
  return parseConfig(readFileSync(file, 'utf8'), resolve(file));
}

export function parseConfig(text: string, file: string): Config {
  const yaml = readYaml(text, file);
  const values = yaml.root === null ? new Map<string, Node>() : readMap(yaml.root, '', Object.keys(KEYS), yaml);
  const read = <T>(name: keyof Keys, { parse, fallback }: Key<T>): T => {
    const node = values.get(name);
    return node === undefined ? fallback : (parse(node, name, yaml) ?? fallback);
  };
  // Files are named from where the configuration lies.
  const at = (path: string | undefined): string | undefined => path && resolve(dirname(file), path);
  const config: Config = {
    home: dirname(file),
    origin: read('origin', KEYS.origin),
    listen: read('listen', KEYS.listen),
    dashboard: read('dashboard', KEYS.dashboard),
    metrics: read('metrics', KEYS.metrics),
    otlp_metrics: read('otlp_metrics', KEYS.otlp_metrics),
    silence_seconds: read('silence_seconds', KEYS.silence_seconds),
    detectors: read('detectors', KEYS.detectors),
    webhooks: read('webhooks', KEYS.webhooks).map(({ url, secretFile }) => ({ url, secretFile: at(secretFile) })),
    syslog: read('syslog', KEYS.syslog).map(({ host, port, caFile, certFile, keyFile }) => ({
      ...{ host, port, caFile: at(caFile), certFile: at(certFile), keyFile: at(keyFile) },
    })),
    otlp: read('otlp', KEYS.otlp).map(({ url, headersFile, caFile }) => ({
      ...{ url, headersFile: at(headersFile), caFile: at(caFile) },
    })),
    files: read('files', KEYS.files).map((path) => resolve(dirname(file), path)),
  };
  if (yaml.problems.length > 0) throw new ConfigError(yaml.problems.join('\n'));
  return config;
}

/** The reference of the keys, for the documentation. */
export function describeConfig(): string {
  return Object.entries(KEYS)
    .map(([name, { says, written }]) => `${name}: ${written}\n    ${says}\n`)
    .join('');
}

function parseOrigin(node: Node, name: string, place: Place): string | undefined {
  const value = scalarOf(node);
  if (typeof value === 'string' && isKeyName(value)) return value;
  return place.tell(name, 'must be a name without spaces and plus, like logs.example.org/hushwatch', node);
}

function parseAddress(node: Node, name: string, place: Place): Address | undefined {
  const [, host = '', port = ''] = /^(\[[0-9a-f:]+\]|[A-Za-z0-9.-]+):([0-9]{1,5})$/.exec(String(scalarOf(node))) ?? [];
  if (host !== '' && Number(port) <= 65_535) return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) };
  return place.tell(name, 'must be HOST:PORT, like 127.0.0.1:8441', node);
}

function parseCount(node: Node, name: string, place: Place): number | undefined {
  const value = scalarOf(node);
  if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0) return value;
  return place.tell(name, 'must be a whole number above 0', node);
}

function parseTuning(node: Node, name: string, place: Place): Tuning {
  const tuning: Record<string, Record<string, number>> = {};
  for (const [detector, knobs] of readMap(node, name, Object.keys(KNOBS), place)) {
    if (!isTuned(detector)) continue;
    const table: Readonly<Record<string, Knob>> = KNOBS[detector];
    const where = `${name}.${detector}`;
    const given = [...readMap(knobs, where, Object.keys(table), place)].map(([knob, value]) => {
      const { least = 0, most = 0, fallback = 0 } = table[knob] ?? {};
      return [knob, parseNumber(value, `${where}.${knob}`, place, least, most) ?? fallback] as const;
    });
    tuning[detector] = Object.fromEntries(given);
  }
  return tuning;
}

function parseNumber(node: Node, name: string, place: Place, least: number, most: number): number | undefined {
  const value = scalarOf(node);
  if (typeof value === 'number' && value >= least && value <= most) return value;
  return place.tell(name, `must be a number from ${least} to ${most}`, node);
}

function parseWebhooks(node: Node, name: string, place: Place): readonly Webhook[] {
  return readList(node, name, place).flatMap((item) => {
    const values = readMap(item, name, ['url', 'secret_file'], place);
    const url = urlIn(values, name, item, place);
    return url === undefined ? [] : [{ url, secretFile: textIn(values, 'secret_file') }];
  });
}

function parseSyslog(node: Node, name: string, place: Place): readonly Syslog[] {
  return readList(node, name, place).flatMap((item) => {
    const values = readMap(item, name, ['address', 'ca_file', 'cert_file', 'key_file'], place);
    const address = parseAddress(values.get('address') ?? item, `${name}.address`, place);
    const files = {
      caFile: textIn(values, 'ca_file'),
      certFile: textIn(values, 'cert_file'),
      keyFile: textIn(values, 'key_file'),
    };
    if ((files.certFile === undefined) !== (files.keyFile === undefined)) {
      place.tell(name, 'needs cert_file and key_file, or neither', item);
    }
    return address === undefined ? [] : [{ ...address, ...files }];
  });
}

function parseOtlp(node: Node, name: string, place: Place): readonly Otlp[] {
  return readList(node, name, place).flatMap((item) => {
    const values = readMap(item, name, ['url', 'headers_file', 'ca_file'], place);
    const url = urlIn(values, name, item, place);
    const files = { headersFile: textIn(values, 'headers_file'), caFile: textIn(values, 'ca_file') };
    return url === undefined ? [] : [{ url, ...files }];
  });
}

function parseFiles(node: Node, name: string, place: Place): readonly string[] {
  return readList(node, name, place).flatMap((item) => {
    const path = scalarOf(item);
    if (typeof path === 'string' && path !== '') return [path];
    place.tell(name, 'must be a list of paths', item);
    return [];
  });
}

const urlIn = (values: ReadonlyMap<string, Node>, name: string, item: Node, place: Place): string | undefined =>
  parseUrl(values.get('url') ?? item, `${name}.url`, place);

function parseUrl(node: Node, name: string, place: Place): string | undefined {
  const url = scalarOf(node);
  if (typeof url === 'string' && /^https?:$/.test(URL.parse(url)?.protocol ?? '')) return url;
  return place.tell(name, 'must be an http:// or https:// URL', node);
}

function textIn(values: ReadonlyMap<string, Node>, key: string): string | undefined {
  const value = scalarOf(values.get(key));
  return value === undefined ? undefined : String(value);
}
