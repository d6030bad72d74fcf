/** What the commands of a collector's operator share: options, times, where the data lies, and how errors become words and exit codes. */
import { statSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, type ParseArgsConfig } from 'node:util';
import { ProtocolError } from '#protocol/error.ts';
import { RulesetError } from '../redaction-rules/ruleset.ts';
import { SigmaError } from './detectors/sigma/error.ts';
import { ConfigError } from '../config/yaml.ts';

export const EXIT = { done: 0, failed: 1, usage: 2, configuration: 3, verification: 4 } as const;

const CHECKOUT = fileURLToPath(new URL('..', import.meta.url));
/** Packages say where it is; in a checkout it lies in the directory of `npm start`. */
export const HOME =
  process.env['HUSHWATCH_COLLECTOR'] ??
  join(process.env['HUSHWATCH_HOME'] ?? join(CHECKOUT, '.hushwatch'), 'collector');

/** What stops a command: told in a line, with what to do. */
export class UsageError extends Error {}

type Parsed<T extends NonNullable<ParseArgsConfig['options']>> = ReturnType<
  typeof parseArgs<{ args: string[]; options: T; allowPositionals: true }>
>;

export function parse<const T extends NonNullable<ParseArgsConfig['options']>>(
  args: string[],
  options: T,
  maxPositionals = 0,
): Parsed<T> {
  let parsed: Parsed<T>;
  try {
    parsed = parseArgs({ args, options, allowPositionals: true });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
  if (parsed.positionals.length > maxPositionals) throw new UsageError(`what is ${parsed.positionals.at(-1) ?? ''}?`);
  return parsed;
}

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** `10m`, µs. */
export function spanOf(option: string, text: string): number {
  const [, n = '', unit = ''] = /^([0-9]{1,9})([smhd])$/.exec(text) ?? [];
  if (n === '')
    throw new UsageError(
      `--${option} is a number and s, m, h or d, such as 10m, or a moment, such as 2026-11-28T19:00:00Z`,
    );
  return Number(n) * (UNITS[unit] ?? 1) * 1e6;
}

/** `10m` ago, or a moment such as `2026-11-28T19:00:00Z`; µs since 1970. */
export function timeAgo(option: string, text: string): number {
  const moment = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?Z$/.test(text) ? Date.parse(text) : NaN;
  if (!Number.isNaN(moment)) return moment * 1_000;
  return Date.now() * 1_000 - spanOf(option, text);
}

export function countOf(option: string, text: string): number {
  if (!/^[1-9][0-9]{0,8}$/.test(text)) throw new UsageError(`--${option} is a whole number above 0`);
  return Number(text);
}

export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** The one place where errors become words and exit codes. */
export async function guarded(command: string, usage: string, work: () => Promise<number> | number): Promise<number> {
  const complain = (text: string): void => void process.stderr.write(`hushwatch ${command}: ${text}\n`);
  try {
    return await work();
  } catch (error) {
    if (error instanceof UsageError) {
      complain(error.message);
      process.stderr.write(usage);
      return EXIT.usage;
    }
    if (error instanceof ConfigError || error instanceof RulesetError || error instanceof SigmaError) {
      complain(error.message);
      return EXIT.configuration;
    }
    if (error instanceof ProtocolError) {
      complain(`${error.code}: ${error.message}`);
      return EXIT.configuration;
    }
    complain(error instanceof Error ? error.message : String(error));
    return EXIT.failed;
  }
}

/** Who runs a command, as it stands in records: the log-in name, through sudo as well. */
export const commander = (): string => `${process.env['SUDO_USER'] ?? userInfo().username} (command line)`;

/**
 * Root becomes whoever owns the directory before it writes there: no link that a service laid then leads further than
 * the service itself could go.
 */
export function becomeOwnerOf(home: string): void {
  const { uid, gid } = statSync(home);
  if (process.getuid?.() !== 0 || uid === 0) return;
  process.setgroups?.([]);
  process.setgid?.(gid);
  process.setuid?.(uid);
}
