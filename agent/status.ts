/**
 * How this node fares, on one screen, from what lies on its disk. Asks no process and changes nothing; root and the agent's user
 * may ask, since the spool's head is nobody else's to read. The exit code is for monitoring, as its plugins have it: 0 well,
 * 1 look at it, 2 act, 3 unknown.
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { NO_RULES, type Statement } from '#protocol/statement.ts';
import { readLeniently } from '../config/schema.ts';
import { ConfigError } from '../config/yaml.ts';
import { readReport, type ReloadReport } from '../service/reload.ts';
import { waysOf } from '../service/ways.ts';
import { configurationVerdicts, exitOf, screen, worstFirst, type Verdict } from '../service/verdict.ts';
import { KEYS } from './config.ts';
import { remedyFor } from './shipper/refusal.ts';
import { spoolFacts, type SpoolFacts } from './doctor/facts.ts';
import { parseHead } from './spool.ts';

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
  /** The configuration that was asked about, and what the processes say of theirs. */
  readonly file: string;
  /** What is wrong with it; whoever runs began with something better. */
  readonly problem: string | undefined;
  readonly configurations: Readonly<Record<'agent' | 'shipper', ReloadReport | undefined>>;
}

/** Receipts that are this late mean that nobody else has what is signed here. */
const LATE_RECEIPT_S = { look: 120, act: 3_600 } as const;
const SLACK_S = 15;

/** Prints how the node of this configuration fares; the exit code. Throws what keeps it from being told. */
export function nodeStatus(file: string, isJson: boolean): number {
  const found = statusOf(file, readLeniently(file, KEYS));
  const verdicts = judge(found);
  process.stdout.write(
    isJson ? `${JSON.stringify({ part: 'node', ...found, verdicts })}\n` : screen(rowsOf(found), verdicts),
  );
  return exitOf(verdicts);
}

type Asked = ReturnType<typeof readLeniently<typeof KEYS>>;

export function statusOf(file: string, { config: read, problem }: Asked): NodeStatus {
  const { node = 'unnamed', role = 'generic', spool, receipts, heartbeat_ms, spool_bytes } = read;
  if (spool === undefined || receipts === undefined || heartbeat_ms === undefined || spool_bytes === undefined)
    throw new ConfigError(problem ?? file);
  const config = { node, role, spool, receipts, heartbeat_ms, spool_bytes };
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
    file: resolve(file),
    problem,
    configurations: {
      agent: readReport(join(config.spool, 'configuration.json')),
      shipper: readReport(join(config.receipts, 'configuration.json')),
    },
  };
}

/** All that is to be said, the worst first; something always is. */
export function judge(status: NodeStatus): readonly Verdict[] {
  const { started, statement, signedS, lateAfterS, spool, file, problem, configurations } = status;
  const ways = { agent: waysOf('agent', 'agent', file), shipper: waysOf('shipper', 'agent', file) };
  const found: Verdict[] = [];
  const say = (state: Verdict['state'], because: string): void => void found.push({ state, because });
  if (!started) say('act', `the agent is not running: ${ways.agent.start}`);
  else if (statement === undefined || signedS === undefined) say('look', 'nothing was signed yet');
  else if (signedS > lateAfterS)
    say('act', `nothing was signed for ${signedS} s, at most ${lateAfterS} s may pass: ${ways.agent.log}`);
  if (statement?.ruleset === NO_RULES)
    say('act', 'no rules are in force, everything is withheld: hushwatch doctor says what to do');
  const { refusal } = spool;
  if (refusal !== undefined) say('act', `${refusal.message} (${refusal.code}): ${remedyFor(refusal.code)}`);
  const oldest = spool.waiting === 0 ? 0 : (spool.oldestWaitingS ?? 0);
  if (oldest > LATE_RECEIPT_S.look)
    say(
      oldest > LATE_RECEIPT_S.act ? 'act' : 'look',
      `${spool.waiting} batches wait, the oldest for ${oldest} s: ${ways.shipper.log}`,
    );
  if (spool.readOnly)
    say('act', 'the file system of the spool is read-only, nothing can be kept: look at dmesg, then remount it');
  if (spool.damaged > 0)
    say(
      'look',
      `${spool.damaged} batches were damaged on this disk: look at dmesg, then remove ${join(spool.path, '*.damaged')}`,
    );
  if (spool.freeBytes < spool.limitBytes) say('look', 'the disk has less room than the spool may take');
  if (problem !== undefined)
    say(
      'look',
      `${problem.split('\n')[0] ?? ''}: what runs goes on with what it read before; it would not start again`,
    );
  for (const part of ['agent', 'shipper'] as const)
    found.push(...configurationVerdicts(part, configurations[part], ways[part]));
  if (found.length === 0) say('well', 'events are seen, signed and received');
  return worstFirst(found);
}

export function rowsOf(status: NodeStatus): readonly (readonly [string, string])[] {
  const { node, role, statement, signedS, spool } = status;
  const total = (counts: Readonly<Record<string, number>> | undefined): string =>
    Object.values(counts ?? {})
      .reduce((sum, count) => sum + count, 0)
      .toLocaleString('en-US');
  return [
    ['node', `${node}, ${role}`],
    ['signed', statement === undefined ? 'nothing yet' : `statement ${statement.sequence}, ${signedS} s ago`],
    [
      'events',
      `${total(statement?.seen)} seen, ${total(statement?.released)} released, ${total(statement?.sampled)} sampled away, ${status.lost} lost`,
    ],
    ['waiting', `${spool.waiting} batches; ${Math.round(spool.freeBytes / 2 ** 20)} MiB free`],
    ['receipts', spool.lastReceiptS === undefined ? 'none yet' : `the last ${spool.lastReceiptS} s ago`],
  ];
}
