/**
 * How the collector fares, from what lies on its disk and from whether its dashboard answers. Changes nothing; who may read its
 * directory may ask.
 */
import { existsSync, statfsSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { readLeniently } from '../config/schema.ts';
import { ConfigError } from '../config/yaml.ts';
import { readReport, type ReloadReport } from '../service/reload.ts';
import { configurationVerdicts, exitOf, screen, worstFirst, type Verdict } from '../service/verdict.ts';
import { waysOf } from '../service/ways.ts';
import { KEYS, reportIn, type Config } from './config.ts';
import { State } from './state.ts';

export interface NodeFacts {
  readonly name: string;
  /** Seconds since its last batch came. */
  readonly receivedS: number;
}

export interface CollectorFacts {
  readonly file: string;
  /** What is wrong with it; whoever runs began with something better. */
  readonly problem: string | undefined;
  readonly origin: string;
  readonly answers: boolean;
  readonly nodes: readonly NodeFacts[];
  readonly silentAfterS: number;
  /** Refused within the last hour: code and node. */
  readonly refused: readonly string[];
  readonly freeBytes: number;
  readonly configuration: ReloadReport | undefined;
}

const ANSWER_MS = 2_000;
const RECENT_S = 3_600;
const FREE_BYTES = { look: 2 ** 30, act: 2 ** 28 } as const;
const MAX_NAMED = 5;

/** Prints it; the exit code. Throws what keeps it from being told. */
export async function collectorStatus(file: string, isJson: boolean): Promise<number> {
  const found = await collectorFacts(file);
  const verdicts = judge(found);
  process.stdout.write(
    isJson ? `${JSON.stringify({ part: 'collector', ...found, verdicts })}\n` : screen(rowsOf(found), verdicts),
  );
  return exitOf(verdicts);
}

export async function collectorFacts(file: string): Promise<CollectorFacts> {
  const home = dirname(resolve(file));
  const { config, problem } = readLeniently(file, KEYS);
  const { origin = 'unnamed', dashboard, silence_seconds: silentAfterS } = config;
  if (dashboard === undefined || silentAfterS === undefined) throw new ConfigError(problem ?? file);
  const { bavail, bsize } = statfsSync(home);
  return {
    ...{ file: resolve(file), problem, origin, silentAfterS },
    answers: await answers(dashboard),
    freeBytes: bavail * bsize,
    configuration: readReport(reportIn(home)),
    ...fromState(home),
  };
}

function fromState(home: string): Pick<CollectorFacts, 'nodes' | 'refused'> {
  if (!existsSync(join(home, 'state.sqlite'))) return { nodes: [], refused: [] };
  using state = State.beside(home);
  const ageS = (us: number): number => Math.max(0, Math.round(Date.now() / 1_000 - us / 1e6));
  return {
    nodes: state.nodes().map(({ name, lastReceived }) => ({ name, receivedS: ageS(lastReceived) })),
    refused: state
      .refusals()
      .filter(({ last }) => ageS(last) < RECENT_S)
      .map(({ node, code }) => `${code} (${node === '' ? 'unknown sender' : node})`),
  };
}

/** The shippers' door may be kept open by systemd while nobody is there; the dashboard's is our own. */
async function answers({ host, port }: Config['dashboard']): Promise<boolean> {
  return new Promise((settle) => {
    const socket = connect({ host, port, timeout: ANSWER_MS });
    const done = (isThere: boolean): void => {
      socket.destroy();
      settle(isThere);
    };
    socket.once('connect', () => done(true));
    socket.once('timeout', () => done(false));
    socket.once('error', () => done(false));
  });
}

/** All that is to be said, the worst first; something always is. */
export function judge(facts: CollectorFacts): readonly Verdict[] {
  const { file, problem, answers: isThere, nodes, silentAfterS, refused, freeBytes, configuration } = facts;
  const ways = waysOf('collector', 'collector', file);
  const found: Verdict[] = [];
  const say = (state: Verdict['state'], because: string): void => void found.push({ state, because });
  if (!isThere) say('act', `the collector does not answer: ${ways.start}, or ${ways.log}`);
  const silent = nodes.filter(({ receivedS }) => receivedS > silentAfterS).map(({ name }) => name);
  if (silent.length > 0 && silent.length === nodes.length) say('act', `no node is heard: ${named(silent)}`);
  else if (silent.length > 0)
    say(
      'look',
      `${silent.length} of ${nodes.length} nodes are silent for longer than ${silentAfterS} s: ${named(silent)}`,
    );
  if (nodes.length === 0) say('look', 'no node has sent anything yet: hushwatch collector invite');
  if (refused.length > 0) say('look', `refused within the last hour: ${named(refused)}: hushwatch alerts`);
  if (freeBytes < FREE_BYTES.look)
    say(
      freeBytes < FREE_BYTES.act ? 'act' : 'look',
      `${mebibytes(freeBytes)} of the disk are left: make room for evidence`,
    );
  if (problem !== undefined)
    say(
      'look',
      `${problem.split('\n')[0] ?? ''}: what runs goes on with what it read before; it would not start again`,
    );
  found.push(...configurationVerdicts('collector', configuration, ways));
  if (found.length === 0) say('well', 'every node is heard');
  return worstFirst(found);
}

const named = (names: readonly string[]): string =>
  `${names.slice(0, MAX_NAMED).join(', ')}${names.length > MAX_NAMED ? ` and ${names.length - MAX_NAMED} more` : ''}`;
const mebibytes = (bytes: number): string => `${Math.floor(bytes / 2 ** 20)} MiB`;

export function rowsOf({ origin, nodes, freeBytes }: CollectorFacts): readonly (readonly [string, string])[] {
  const latest = Math.min(...nodes.map(({ receivedS }) => receivedS));
  return [
    ['collector', origin],
    ['nodes', `${nodes.length} sent something${nodes.length === 0 ? '' : `, the last ${latest} s ago`}`],
    ['disk', `${mebibytes(freeBytes)} free`],
  ];
}
