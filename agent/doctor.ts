/**
 * `hushwatch doctor`: what this machine can and cannot give, and what to do about it. Looks, asks the sensor to load and
 * unload its programs, opens one connection to the collector when it is told where that is; changes nothing and prints
 * nothing that was observed.
 *
 *     gather (doctor/facts.ts)  ->  examine (doctor/checks.ts)  ->  tell
 */
import { parseArgs } from 'node:util';
import { examine, type Finding, type State } from './doctor/checks.ts';
import { gather } from './doctor/facts.ts';

const USAGE = `usage: hushwatch doctor [--config AGENT.YAML] [--shipper SHIPPER.YAML] [--sensor PROGRAM] [--json]

  Says what works on this machine, what does not, and what to do. As root it can try everything.
  exit: 0 nothing is wrong (there may be warnings), 1 something is, 3 a configuration cannot be used

example: hushwatch doctor --config /etc/hushwatch/agent.yaml --shipper /etc/hushwatch/shipper.yaml
`;

export async function main(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    strict: false,
    options: {
      config: { type: 'string' },
      shipper: { type: 'string' },
      sensor: { type: 'string' },
      json: { type: 'boolean' },
    },
  });
  const unknown = Object.keys(values).some((name) => !['config', 'shipper', 'sensor', 'json'].includes(name));
  if (unknown || positionals.length > 0) {
    process.stderr.write(USAGE);
    return 2;
  }
  const named = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
  const findings = examine(
    await gather({ config: named(values.config), shipper: named(values.shipper), sensor: named(values.sensor) }),
  );
  process.stdout.write(values.json === true ? `${JSON.stringify({ findings })}\n` : tell(findings));
  return statusOf(findings);
}

export function statusOf(findings: readonly Finding[]): 0 | 1 | 3 {
  const problems = findings.filter((finding) => finding.state === 'problem');
  if (problems.some((finding) => finding.topic === 'configuration')) return 3;
  return problems.length > 0 ? 1 : 0;
}

/** For people: what is wrong is not to be looked for between what is right. */
export function tell(findings: readonly Finding[]): string {
  const count = (state: State): number => findings.filter((finding) => finding.state === state).length;
  const lines = findings.map(
    ({ state, topic, says, hint }) =>
      `${state.padEnd(8)} ${topic.padEnd(14)} ${says}\n${hint === undefined ? '' : `${' '.repeat(24)}hint: ${hint}\n`}`,
  );
  return `${lines.join('')}${count('ok')} ok, ${count('warning')} warnings, ${count('problem')} problems\n`;
}
