/**
 * Commands that ask how this machine fares: about every part that is configured here, or the one that is named.
 */
import { parseArgs } from 'node:util';
import { nodeFindings } from '../agent/doctor.ts';
import { nodeStatus } from '../agent/status.ts';
import { collectorFindings } from '../collector/doctor.ts';
import { collectorStatus } from '../collector/status.ts';
import { ConfigError } from '../config/yaml.ts';
import { statusOf, tell, type Finding } from '../service/finding.ts';
import { isHere, placeOf, type Side } from '../service/places.ts';

const STATUS_USAGE = `usage: hushwatch status [--config AGENT.YAML] [--collector COLLECTOR.YAML] [--json]

  How the node, the collector, or both fare, each on one screen. Without a file: what is configured on this machine.
  exit, for monitoring: 0 well, 1 look at it, 2 act, 3 it cannot be told

example: hushwatch status --json
`;

const DOCTOR_USAGE = `usage: hushwatch doctor [--config AGENT.YAML] [--shipper SHIPPER.YAML] [--sensor PROGRAM]
                        [--collector COLLECTOR.YAML] [--json]

  Says what works on this machine, what does not, and what to do. As root it can try everything. Without a file: what is
  configured on this machine, and where nothing is, whether a node could be.
  exit: 0 nothing is wrong (there may be warnings), 1 something is, 3 a configuration cannot be used

example: hushwatch doctor
`;

const OPTIONS = {
  config: { type: 'string' },
  shipper: { type: 'string' },
  sensor: { type: 'string' },
  collector: { type: 'string' },
  json: { type: 'boolean', default: false },
} as const;

type Asked = Partial<Readonly<Record<'config' | 'shipper' | 'sensor' | 'collector', string>>> & {
  readonly json: boolean;
};

/** Undefined for what is no command of ours. */
function read(args: string[], known: readonly string[]): Asked | undefined {
  try {
    const { values } = parseArgs({ args, options: OPTIONS });
    return Object.keys(values).every((name) => name === 'json' || known.includes(name)) ? values : undefined;
  } catch {
    return undefined;
  }
}

/** Of two codes, the one that monitoring must see: what is known to be wrong before what is unknown. */
const RANK = [0, 1, 3, 2];
const worst = (codes: readonly number[]): number =>
  codes.reduce((one, other) => (RANK.indexOf(other) > RANK.indexOf(one) ? other : one), 0);

export async function status(args: string[]): Promise<number> {
  const asked = read(args, ['config', 'collector']);
  if (asked === undefined) {
    process.stderr.write(STATUS_USAGE);
    return 3;
  }
  const { json } = asked;
  const isNamed = asked.config !== undefined || asked.collector !== undefined;
  const node = asked.config ?? (!isNamed && isHere('agent') ? placeOf('agent') : undefined);
  const collector = asked.collector ?? (!isNamed && isHere('collector') ? placeOf('collector') : undefined);
  if (node === undefined && collector === undefined) {
    process.stderr.write(
      'hushwatch status: nothing of Hushwatch is configured here\nhint: name a file with --config or --collector\n',
    );
    return 3;
  }
  const codes: number[] = [];
  if (node !== undefined) codes.push(await told(() => nodeStatus(node, json)));
  if (collector !== undefined) codes.push(await told(() => collectorStatus(collector, json)));
  return worst(codes);
}

/** What cannot be told is the third thing that monitoring knows. */
async function told(work: () => number | Promise<number>): Promise<number> {
  try {
    return await work();
  } catch (error) {
    const words = error instanceof ConfigError ? error.message : wordsOf(error);
    process.stderr.write(`hushwatch status: it cannot be told: ${words}\nhint: hushwatch doctor says more\n`);
    return 3;
  }
}

const wordsOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && 'path' in error
    ? `${String(error.path)}: ${String(error.code)}`
    : String(error);

export async function doctor(args: string[]): Promise<number> {
  const asked = read(args, ['config', 'shipper', 'sensor', 'collector']);
  if (asked === undefined) {
    process.stderr.write(DOCTOR_USAGE);
    return 2;
  }
  const findings = await findingsOf(asked);
  process.stdout.write(asked.json ? `${JSON.stringify({ findings })}\n` : tell(findings));
  return statusOf(findings);
}

async function findingsOf({ config, shipper, sensor, collector }: Asked): Promise<readonly Finding[]> {
  const isNamed = [config, shipper, collector].some((file) => file !== undefined);
  const here = (side: Side, named: string | undefined): string | undefined =>
    named ?? (!isNamed && isHere(side) ? placeOf(side) : undefined);
  const ours = here('collector', collector);
  const node = { config: here('agent', config), shipper: here('shipper', shipper), sensor };
  const isNode = node.config !== undefined || node.shipper !== undefined || ours === undefined;
  const found = isNode ? await nodeFindings(node) : [];
  if (ours === undefined) return found;
  // A machine has one clock.
  const more = await collectorFindings(ours);
  return [...found, ...more.filter(({ topic }) => topic !== 'clock' || !isNode)];
}
