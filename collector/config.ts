/** `collector.yaml`: every key, once. The data directory is the one that the file lies in. */
import { dirname, join, resolve } from 'node:path';
import { parseCosignerKey } from '#protocol/cosignature.ts';
import { isKeyName, MAX_SIGNATURES } from '#protocol/note.ts';
import { address, count, listOf, number, path, textLike, url } from '../config/kinds.ts';
import {
  key,
  live,
  optional,
  parseConfig as parseKeys,
  readConfig as readKeys,
  record,
  required,
} from '../config/schema.ts';
import type { Key, Parsed } from '../config/schema.ts';
import { KNOBS, type Tuning } from './detectors/knobs.ts';

export type { Address } from '../config/kinds.ts';

const caFile = optional('Authorities that vouch for the receiver, instead of those of the system.', path);

const WEBHOOK = record({
  url: required('Where to.', url('https', 'http')),
  secret_file: optional('Key of the HMAC over each message.', path),
});
const SYSLOG = record(
  {
    address: required('The receiver.', address),
    ca_file: caFile,
    cert_file: optional('Who we are, if the receiver asks.', path),
    key_file: optional('Key of that certificate.', path),
  },
  ({ cert_file, key_file }) =>
    (cert_file === undefined) === (key_file === undefined) ? undefined : 'needs cert_file and key_file, or neither',
);
const OTLP = record({
  url: required('Where to, with its path.', url('https', 'http')),
  headers_file: optional('Headers, `name: value`, one a line: how receivers take tokens.', path),
  ca_file: caFile,
});

const WITNESS = record({
  key: required(
    'Its key, as `hushwatch witness init` prints it.',
    textLike('NAME+ID+BASE64, a key that cosigns', isCosignerKey),
  ),
  url: required('Where it listens, to which `/add-checkpoint` is appended.', url('https', 'http')),
});

const LIST_OF_WITNESSES = listOf(WITNESS);
/** More signatures than a note may hold, or two by one key, would make of `log/cosigned` what nobody can read. */
const WITNESSES: typeof LIST_OF_WITNESSES = {
  ...LIST_OF_WITNESSES,
  read: (node, where, place) => {
    const found = LIST_OF_WITNESSES.read(node, where, place);
    const keys = new Set(found?.map((one) => one.key));
    if (found?.length === keys.size && keys.size < MAX_SIGNATURES) return found;
    return place.tell(where, `must name at most ${MAX_SIGNATURES - 1} witnesses, each of them once`, node);
  },
};

function isCosignerKey(text: string): boolean {
  try {
    parseCosignerKey(text);
    return true;
  } catch {
    return false;
  }
}

/** The knobs of the baselines; only those that a file names are in what is read. */
function tuningKeys(): Record<string, Key<Parsed<Record<string, Key<number | undefined>>> | undefined>> {
  return Object.fromEntries(
    Object.entries(KNOBS).map(([detector, knobs]) => {
      const keys = Object.entries(knobs).map(
        ([knob, { says, least, most, fallback }]) =>
          [knob, { ...optional(says, number(least, most)), usually: String(fallback) }] as const,
      );
      return [detector, optional(`Knobs of ${detector}.`, record(Object.fromEntries(keys)))];
    }),
  );
}

const isHostName = (text: string): boolean => /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/.test(text);

export const KEYS = {
  origin: key(
    'Name of the log; its key and its checkpoints carry it.',
    textLike('a name without spaces and plus, like logs.example.org/hushwatch', isKeyName),
    'localhost/hushwatch',
  ),
  listen: key('Where shippers connect and the log is served.', address, { host: '127.0.0.1', port: 8441 }),
  dashboard: key('Where the dashboard listens.', address, { host: '127.0.0.1', port: 8440 }),
  dashboard_names: key(
    'Names under which a proxy in front of it serves the dashboard. Under others it answers nobody.',
    listOf(textLike('a host name without port, like hushwatch.example.org', isHostName)),
    [],
  ),
  metrics: optional('Where `/metrics` is served; nowhere without.', address),
  otlp_metrics: optional(
    'Where metrics are sent by OTLP over HTTP, with its path, like https://otel.example.org:4318/v1/metrics.',
    url('https', 'http'),
  ),
  silence_seconds: live(key('A node that sends nothing for longer alerts.', count(1, 2 ** 31), 300)),
  witnesses: key('Who cosigns the log: each checkpoint is shown to all of them.', WITNESSES, []),
  webhooks: live(key('Where stories are posted.', listOf(WEBHOOK), [])),
  syslog: live(key('Where stories go as syslog over TLS.', listOf(SYSLOG), [])),
  otlp: live(key('Where stories go as OTLP logs.', listOf(OTLP), [])),
  files: live(key('Files that stories are appended to, a JSON object a line.', listOf(path), [])),
  detectors: live(key('Knobs of the baselines.', record(tuningKeys()), {})),
};

export type Config = Omit<Parsed<typeof KEYS>, 'detectors'> & {
  readonly detectors: Tuning;
  /** The collector's data directory. */
  readonly home: string;
};

export const readConfig = (file: string): Config => located(readKeys(file, KEYS), file);
export const parseConfig = (text: string, file: string): Config => located(parseKeys(text, resolve(file), KEYS), file);

const located = ({ detectors, ...config }: Parsed<typeof KEYS>, file: string): Config => ({
  ...config,
  // oxlint-disable-next-line no-unsafe-type-assertion -- made of the table that the type is made of
  detectors: detectors as Tuning,
  home: dirname(resolve(file)),
});

/** Where the collector says what became of a configuration that was read again. */
export const reportIn = (home: string): string => join(home, 'configuration.json');
