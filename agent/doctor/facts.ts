/**
 * What the doctor looks at. Each fact by itself: one that cannot be had is absent and spoils no other.
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync, readFileSync, statfsSync, statSync } from 'node:fs';
import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { release } from 'node:os';
import { connect } from 'node:tls';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadPack } from '../../collector/detectors/pack.ts';
import { SigmaError } from '../../collector/detectors/sigma/error.ts';
import { parseRuleset, RulesetError } from '../../redaction-rules/ruleset.ts';
import type { AgentConfig } from '../agent.ts';
import { VERSION } from '../build.ts';
import { readConfig, type Parsed } from '../../config/schema.ts';
import { ConfigError } from '../../config/yaml.ts';
import { KEYS as AGENT_KEYS } from '../config.ts';
import { KEYS as SHIPPER_KEYS } from '../shipper/config.ts';
import { lastRefusal, type Refusal } from '../shipper/refusal.ts';
import { isClockSynchronized } from '../../service/clock.ts';
import { identityOf } from '../shipper/identity.ts';
import { checkPin, pinOf } from '../shipper/uplink.ts';
import { approvalFacts, type ApprovalFacts } from './approvals.ts';

/** What the sensor says of itself and of this kernel (`hushwatch-sensor --check`). */
export interface SensorReport {
  readonly version: string;
  readonly access: string;
  readonly clock: string | undefined;
  readonly programs: readonly { readonly name: string; readonly tracepoint: string; readonly loads: boolean }[];
}

export interface SensorRefusal {
  readonly refusal: string;
  readonly hint: string;
}

export interface SpoolFacts {
  readonly path: string;
  readonly writable: boolean;
  /** The file system is, whoever asks. */
  readonly readOnly: boolean;
  /** Batches that the disk damaged, of those that are kept for a look. */
  readonly damaged: number;
  readonly freeBytes: number;
  readonly limitBytes: number;
  readonly waiting: number;
  readonly oldestWaitingS: number | undefined;
  readonly lastReceiptS: number | undefined;
  /** What the collector would not have last; undefined while it takes what it gets. */
  readonly refusal?: Refusal | undefined;
}

export interface Facts {
  readonly version: string;
  readonly release: string;
  readonly typed: boolean;
  readonly missingCapabilities: readonly string[];
  /** Undefined: there is no such program. */
  readonly sensor: SensorReport | SensorRefusal | undefined;
  readonly procConnector: boolean;
  readonly journal: boolean;
  readonly clockSynchronized: boolean | undefined;
  readonly configuration: readonly { readonly says: string; readonly problems: readonly string[] }[];
  /** Of the rules that the agent is to use. */
  readonly approvals: readonly ApprovalFacts[];
  readonly spool: SpoolFacts | undefined;
  readonly certificate: CertificateFacts | undefined;
  readonly collector:
    | {
        readonly address: string;
        readonly error: string | undefined;
        /** Of a key that is not the pinned one. */
        readonly pin: string | undefined;
      }
    | undefined;
}

export type CertificateFacts =
  | { readonly problem: string }
  | {
      readonly file: string;
      readonly daysLeft: number;
      /** A private key that others may read. */
      readonly readableBy: string | undefined;
    };

export interface Asked {
  readonly config: string | undefined;
  readonly shipper: string | undefined;
  readonly sensor: string | undefined;
}

const SENSORS = [
  fileURLToPath(new URL('../sensor/build/hushwatch-sensor', import.meta.url)),
  '/usr/lib/hushwatch-agent/hushwatch-sensor',
];
const CONNECT_MS = 5_000;

export async function gather(asked: Asked): Promise<Facts> {
  const sensor = sensorFacts(asked.sensor ?? SENSORS.find((path) => existsSync(path)));
  const agent = asked.config === undefined ? undefined : configured(asked.config, AGENT_KEYS, rulesOf);
  const shipper = asked.shipper === undefined ? undefined : configured(asked.shipper, SHIPPER_KEYS, () => '');
  return {
    version: VERSION,
    release: release(),
    typed: existsSync('/sys/kernel/btf/vmlinux'),
    missingCapabilities: missingCapabilities(),
    sensor,
    procConnector: /^cn_proc\s/m.test(text('/proc/net/connector')),
    journal: ['/run/log/journal', '/var/log/journal'].some((path) => existsSync(path)) && onPath('journalctl'),
    clockSynchronized:
      sensor === undefined || 'refusal' in sensor || sensor.clock === undefined
        ? isClockSynchronized()
        : sensor.clock === 'synchronized',
    configuration: [agent, shipper].flatMap((one) => (one === undefined ? [] : [one])),
    approvals: agent?.config === undefined ? [] : approvalFacts(agent.config),
    spool: agent?.config === undefined ? undefined : spoolFacts(agent.config),
    certificate: shipper?.config === undefined ? undefined : certificateFacts(shipper.config),
    collector: shipper?.config === undefined ? undefined : await reach(shipper.config),
  };
}

function text(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // Not on this kernel.
  }
}

const onPath = (program: string): boolean =>
  (process.env['PATH'] ?? '').split(delimiter).some((directory) => existsSync(join(directory, program)));

const CAPABILITIES = { CAP_PERFMON: 38n, CAP_BPF: 39n } as const;
const CAP_SYS_ADMIN = 21n;

export function missingCapabilities(status = text('/proc/self/status')): string[] {
  const held = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  const has = (bit: bigint): boolean => ((held >> bit) & 1n) === 1n;
  if (has(CAP_SYS_ADMIN)) return [];
  return Object.entries(CAPABILITIES).flatMap(([name, bit]) => (has(bit) ? [] : [name]));
}

function sensorFacts(program: string | undefined): Facts['sensor'] {
  if (program === undefined || !existsSync(program)) return undefined;
  const run = spawnSync(program, ['--check'], { encoding: 'utf8', timeout: 60_000, maxBuffer: 64 << 20 });
  return run.status === 0 ? readReport(run.stdout) : readRefusal(run.stderr);
}

export function readReport(output: string): SensorReport {
  const rows = output.split('\n').map((line) => line.split('\t'));
  const one = (name: string): string | undefined => rows.find(([key]) => key === name)?.[1];
  return {
    version: one('sensor') ?? 'unknown',
    access: one('access') ?? 'unknown',
    clock: one('clock'),
    programs: rows.flatMap(([key, name = '', tracepoint = '', state]) =>
      key === 'program' ? [{ name, tracepoint, loads: state === 'loads' }] : [],
    ),
  };
}

/** Its last complaint, and its hint; the verifier's log before that is not for the person who asked us. */
export function readRefusal(output: string): SensorRefusal {
  const last = (start: string): string | undefined =>
    output
      .split('\n')
      .findLast((line) => line.startsWith(start))
      ?.slice(start.length);
  return {
    refusal: last('hushwatch-sensor: ') ?? 'it ended without a word',
    hint: last('hint: ') ?? 'run hushwatch-sensor --check',
  };
}

interface Configured<T> {
  readonly says: string;
  readonly problems: readonly string[];
  readonly config?: T;
}

/** A file as its own process would read it, with all that it names; `check` says what is good about it. */
function configured<K extends Parameters<typeof readConfig>[1]>(
  file: string,
  keys: K,
  check: (config: ReturnType<typeof readConfig<K>>) => string,
): Configured<ReturnType<typeof readConfig<K>>> {
  let config: ReturnType<typeof readConfig<K>> | undefined;
  try {
    config = readConfig(file, keys);
    return { says: `${file}: good${check(config)}`, problems: [], config };
  } catch (error) {
    return { says: file, problems: problemsOf(error), ...(config === undefined ? {} : { config }) };
  }
}

/** What a ruleset forgets of the vocabulary, its parser says. No key is opened: that would make one. */
function rulesOf({ ruleset: file, role, rule_pack: pack }: AgentConfig): string {
  const ruleset = parseRuleset(readFileSync(file, 'utf8'), file);
  if (ruleset.role !== role) throw new ConfigError(`${file}: is for role ${ruleset.role}, this node is ${role}`);
  const { rules } = loadPack(pack);
  return `; ruleset ${ruleset.name} version ${ruleset.version}, ${rules.length} detection rules`;
}

function problemsOf(error: unknown): string[] {
  if (error instanceof ConfigError || error instanceof RulesetError || error instanceof SigmaError) {
    return error.message.split('\n');
  }
  // Of the system: what and where, and no more.
  if (error instanceof Error && 'code' in error && 'path' in error)
    return [`${String(error.path)}: ${String(error.code)}`];
  throw error;
}

type SpoolPlaces = Pick<AgentConfig, 'spool' | 'receipts' | 'spool_bytes'>;

export function spoolFacts({ spool, receipts, spool_bytes: limitBytes }: SpoolPlaces): SpoolFacts {
  const now = Date.now();
  const ageS = (path: string): number | undefined => {
    const stat = statSync(path, { throwIfNoEntry: false });
    return stat === undefined ? undefined : Math.max(0, Math.round((now - stat.mtimeMs) / 1_000));
  };
  const names = existsSync(spool) ? readdirSync(spool) : [];
  const notWritable = whyNotWritable(spool);
  const batches = names.filter((name) => name.endsWith('.batch')).toSorted();
  return {
    path: spool,
    writable: notWritable === undefined,
    readOnly: notWritable === 'EROFS',
    damaged: names.filter((name) => name.endsWith('.damaged')).length,
    freeBytes: existsSync(spool) ? freeBytes(spool) : 0,
    limitBytes,
    waiting: batches.length,
    oldestWaitingS: batches[0] === undefined ? undefined : ageS(join(spool, batches[0])),
    // The shipper puts them there, the agent takes them away: either changes the directory.
    lastReceiptS: batches.length === 0 && !existsSync(join(spool, 'head')) ? undefined : ageS(receipts),
    refusal: lastRefusal(receipts),
  };
}

function whyNotWritable(path: string): string | undefined {
  try {
    accessSync(path, constants.W_OK);
    return undefined;
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
  }
}

function freeBytes(path: string): number {
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize;
}

const DAY_MS = 86_400_000;

export function certificateFacts(config: Parsed<typeof SHIPPER_KEYS>): CertificateFacts {
  try {
    const { certificate, keyFile } = identityOf(config);
    const until = new X509Certificate(certificate).validToDate.getTime();
    return {
      file: config.tls_cert,
      daysLeft: Math.floor((until - Date.now()) / DAY_MS),
      readableBy: (statSync(keyFile).mode & 0o007) === 0 ? undefined : keyFile,
    };
  } catch (error) {
    if (error instanceof ConfigError) return { problem: error.message };
    throw error;
  }
}

/** A handshake with whoever is there; nothing is sent. */
async function reach({ collector, collector_pin }: Parsed<typeof SHIPPER_KEYS>): Promise<Facts['collector']> {
  const url = new URL(collector);
  const port = Number(url.port === '' ? 443 : url.port);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const address = `${url.hostname}:${port}`;
  return new Promise((settle) => {
    const socket = connect({
      ...{ host, port, minVersion: 'TLSv1.3', rejectUnauthorized: false, timeout: CONNECT_MS },
      ...(isIP(host) > 0 ? {} : { servername: host }),
    });
    const done = (error: string | undefined, pin?: string): void => {
      socket.destroy();
      settle({ address, error, pin });
    };
    socket.once('secureConnect', () => done(undefined, pinUnless(collector_pin, socket.getPeerX509Certificate())));
    socket.once('timeout', () => done(`nothing within ${CONNECT_MS / 1_000} s`));
    socket.once('error', (error) => done('code' in error ? String(error.code) : error.name));
    socket.once('close', () => done('it closed'));
  });
}

const pinUnless = (pinned: string, certificate: X509Certificate | undefined): string | undefined =>
  certificate === undefined || checkPin(certificate, pinned) === undefined ? undefined : pinOf(certificate);
