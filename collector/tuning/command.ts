/** What the commands of tuning have in common: their options, and what stops them. */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { HOME } from '../command.ts';
import { DAY, HOUR } from '../detectors/detector.ts';

/** Told in a line; exit 1. */
export class Unanswerable extends Error {}
/** So is this, with the usage; exit 2. */
export class Misused extends Error {}

export interface Values {
  readonly home: string;
  readonly with?: string | undefined;
  readonly author: string;
  readonly by: string;
  readonly reason: string;
  readonly json: boolean;
  readonly spanUs: number;
  /** The one argument that is no option. */
  readonly subject: string | undefined;
}

/** Throws {@link Misused}, or what `parseArgs` throws. */
export function parse(args: string[]): Values {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      home: { type: 'string', default: HOME },
      since: { type: 'string', default: '7d' },
      with: { type: 'string' },
      author: { type: 'string', default: 'suggested by hushwatch detect' },
      by: { type: 'string', default: '' },
      reason: { type: 'string', default: '' },
      'false-positive': { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  });
  const [, n = '', unit = ''] = /^([0-9]{1,6})([hd])$/.exec(values.since) ?? [];
  if (n === '') throw new Misused('--since is a number and h or d, such as 7d');
  if (positionals.length > 1) throw new Misused(`what is ${positionals[1] ?? ''}?`);
  const spanUs = Number(n) * (unit === 'd' ? DAY : HOUR);
  return { ...values, home: resolve(values.home), spanUs, subject: positionals[0] };
}

export const nowUs = (): number => Date.now() * 1_000;
export const say = (text: string): void => void process.stdout.write(text);
