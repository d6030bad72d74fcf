/**
 * `hushwatch status`: how this node fares, on one screen, from what lies on its disk. Asks no process and changes nothing; who may read
 * the spool may ask. The exit code is for monitoring, as its plugins have it: 0 well, 1 look at it, 2 act, 3 unknown.
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { NO_RULES, type Statement } from '#protocol/statement.ts';
import { readConfig } from '../config/schema.ts';
import { ConfigError } from '../config/yaml.ts';
import { KEYS } from './config.ts';
import { remedyFor } from './shipper/refusal.ts';
import { spoolFacts, type SpoolFacts } from './doctor/facts.ts';
import { parseHead } from './spool.ts';

const USAGE = `usage: hushwatch status [--config AGENT.YAML] [--json]

  How this node fares; the configuration is /etc/hushwatch/agent.yaml unless another is named.
  exit: 0 well, 1 look at it, 2 act, 3 it cannot be told

example: hushwatch status --json
`;

export interface NodeStatus {
  readonly node: string;
  readonly role: string;
  /** False: it was stopped, or never started. A crash leaves it true until the next statement is late. */
  readonly started: boolean;
  readonly statement:
    Pick<Statement, 'sequence' | 'ruleset' | 'seen' | 'released' | 'sampled' | 'withheld'> | undefined;
  /** Seconds since the last statement was signed, and how many may pass. */
  readonly signedS: number | undefined;
  readonly lateAfterS: number;
  /** Events lost since the chain began, at all places. */
  readonly lost: number;
  readonly spool: SpoolFacts;
}

export interface Verdict {
  readonly state: 'well' | 'look' | 'act';
  readonly because: string;
}

const STATES = ['well', 'look', 'act'] as const;
/** Receipts that are this late mean that nobody else has what is signed here. */
const LATE_RECEIPT_S = { look: 120, act: 3_600 } as const;
const SLACK_S = 15;

export function main(args: string[]): Promise<number> {
  return Promise.resolve(status(args));
}

function status(args: string[]): number {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    strict: false,
    options: { config: { type: 'string', default: '/etc/hushwatch/agent.yaml' }, json: { type: 'boolean' } },
  });
  if (positionals.length > 0 || Object.keys(values).some((name) => name !== 'config' && name !== 'json')) {
    process.stderr.write(USAGE);
    return 3;
  }
  try {
    const found = statusOf(readConfig(String(values.config), KEYS));
    const verdicts = judge(found);
    process.stdout.write(values.json === true ? `${JSON.stringify({ ...found, verdicts })}\n` : tell(found, verdicts));
    return Math.max(...verdicts.map(({ state }) => STATES.indexOf(state)));
  } catch (error) {
    const words = error instanceof ConfigError ? error.message : codeOf(error);
    process.stderr.write(
      `hushwatch status: it cannot be told: ${words}\nhint: hushwatch doctor --config FILE says more\n`,
    );
    return 3;
  }
}

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && 'path' in error
    ? `${String(error.path)}: ${String(error.code)}`
    : String(error);

export function statusOf(config: Parameters<typeof spoolFacts>[0]): NodeStatus {
  const head = join(config.spool, 'head');
  const statement = existsSync(head) ? parseHead(readFileSync(head)).statement : undefined;
  const lost = Object.values(statement?.lost ?? {}).flatMap((counts) => Object.values(counts));
  return {
    node: config.node,
    role: config.role,
    started: existsSync(join(config.spool, 'running')),
    statement,
    signedS:
      statement === undefined ? undefined : Math.max(0, Math.round((Date.now() - statSync(head).mtimeMs) / 1_000)),
    lateAfterS: Math.ceil(config.heartbeat_ms / 1_000) + SLACK_S,
    lost: lost.reduce((sum, count) => sum + count, 0),
    spool: spoolFacts(config),
  };
}

/** All that is to be said, the worst first; something always is. */
export function judge({ started, statement, signedS, lateAfterS, spool }: NodeStatus): readonly Verdict[] {
  const found: Verdict[] = [];
  const say = (state: Verdict['state'], because: string): void => void found.push({ state, because });
  if (!started) say('act', 'the agent is not running: systemctl start hushwatch.target');
  else if (statement === undefined || signedS === undefined) say('look', 'nothing was signed yet');
  else if (signedS > lateAfterS)
    say('act', `nothing was signed for ${signedS} s, at most ${lateAfterS} s may pass: journalctl -u hushwatch-agent`);
  if (statement?.ruleset === NO_RULES)
    say('act', 'no rules are in force, everything is withheld: hushwatch doctor says what to do');
  const { refusal } = spool;
  if (refusal !== undefined) say('act', `${refusal.message} (${refusal.code}): ${remedyFor(refusal.code)}`);
  const oldest = spool.waiting === 0 ? 0 : (spool.oldestWaitingS ?? 0);
  if (oldest > LATE_RECEIPT_S.look)
    say(
      oldest > LATE_RECEIPT_S.act ? 'act' : 'look',
      `${spool.waiting} batches wait, the oldest for ${oldest} s: journalctl -u hushwatch-shipper`,
    );
  if (spool.freeBytes < spool.limitBytes) say('look', 'the disk has less room than the spool may take');
  if (found.length === 0) say('well', 'events are seen, signed and received');
  return found.toSorted((a, b) => STATES.indexOf(b.state) - STATES.indexOf(a.state));
}

export function tell(status: NodeStatus, verdicts: readonly Verdict[]): string {
  const { node, role, statement, signedS, spool } = status;
  const total = (counts: Readonly<Record<string, number>> | undefined): string =>
    Object.values(counts ?? {})
      .reduce((sum, count) => sum + count, 0)
      .toLocaleString('en-US');
  const rows: readonly (readonly [string, string])[] = [
    ['node', `${node}, ${role}`],
    ['signed', statement === undefined ? 'nothing yet' : `statement ${statement.sequence}, ${signedS} s ago`],
    [
      'events',
      `${total(statement?.seen)} seen, ${total(statement?.released)} released, ${total(statement?.sampled)} sampled away, ${status.lost} lost`,
    ],
    ['waiting', `${spool.waiting} batches; ${Math.round(spool.freeBytes / 2 ** 20)} MiB free`],
    ['receipts', spool.lastReceiptS === undefined ? 'none yet' : `the last ${spool.lastReceiptS} s ago`],
  ];
  const lines = rows.map(([name, words]) => `${name.padEnd(10)}${words}\n`);
  return `${lines.join('')}${verdicts.map(({ state, because }) => `${state.padEnd(10)}${because}\n`).join('')}`;
}
