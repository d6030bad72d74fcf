/** `hushwatch agent`: the process that sees raw events, holds the signing key and has no network. */
import { parseArgs } from 'node:util';
import {
  exporterOf,
  isProblemOfRules,
  lookAtRules,
  openRules,
  readsJournal,
  type AgentConfig,
  type Rules,
} from './agent.ts';
import { placeOf } from '../service/places.ts';
import { describeKeys } from '../config/pages.ts';
import { readConfig } from '../config/schema.ts';
import { ConfigError } from '../config/yaml.ts';
import { KEYS } from './config.ts';
import { guardLastWords } from './last-words.ts';
import { holderOf } from '../redaction-rules/sums.ts';
import { preview } from './preview.ts';
import type { Shown } from './preview-stream.ts';
import { run } from './run.ts';

const USAGE = `usage: hushwatch agent run | check | preview  [FILE]

  run        redact, sign and spool what the sensor sees, until SIGTERM
  check      read the configuration and everything it names, say what is wrong, exit 0 or 3
  preview    show what would leave, beside what would not; sends and writes nothing
             --frames FILE   recorded frames instead of the live sensor
             --lines FILE    lines of the exporter that the configuration names as source
             --limit N       stop after N events (default 20)

FILE, or --config FILE, is /etc/hushwatch/agent.yaml unless another is named. SIGHUP reads it again.

example: hushwatch agent preview --limit 5

keys of the configuration
${describeKeys(KEYS)}
`;

export async function main(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    strict: false,
    options: {
      config: { type: 'string' },
      frames: { type: 'string' },
      lines: { type: 'string' },
      limit: { type: 'string' },
    },
  });
  const [verb, named, ...more] = positionals;
  const file = values.config ?? named ?? placeOf('agent');
  if (typeof file !== 'string' || more.length > 0 || !isVerb(verb)) {
    process.stderr.write(USAGE);
    return 2;
  }
  try {
    const config = readConfig(file, KEYS);
    const exporter = exporterOf(config);
    if (verb === 'run') {
      guardLastWords();
      return await run(file, config, exporter);
    }
    const rules = verb === 'check' ? await lookAtRules(config) : await openRules(config);
    if (verb === 'check')
      process.stdout.write(`${file}: good; ruleset ${rules.ruleset.name} version ${rules.ruleset.version}\n`);
    else
      await preview({ ...rules, holder: holderOf(rules.ruleset.sums) }, shownBy(values, config, rules), {
        limit: Number(values.limit ?? 20),
      });
    return 0;
  } catch (error) {
    if (!(error instanceof ConfigError || isProblemOfRules(error)) || !(error instanceof Error)) throw error;
    process.stderr.write(`hushwatch agent: the configuration cannot be used\n${error.message}\n`);
    return 3;
  }
}

const isVerb = (verb: string | undefined): boolean => verb !== undefined && ['run', 'check', 'preview'].includes(verb);

/** What happens now, or what was recorded. The agent's own socket is kept by a running agent: a second sensor speaks to ours. */
function shownBy(values: Readonly<Record<string, unknown>>, config: AgentConfig, { withMd5 }: Rules): Shown {
  const { lines, frames } = values;
  if (typeof frames === 'string') return { frames };
  if (typeof lines !== 'string') return { socket: `${config.socket}.preview`, withMd5, journal: readsJournal(config) };
  const exporter = exporterOf(config)?.kind;
  if (exporter === undefined)
    throw new ConfigError('lines are of another exporter: name it in the configuration, as source');
  return { lines, exporter };
}
