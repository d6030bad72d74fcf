/** `hushwatch witness`: someone else's machine, which remembers what a log said of itself. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { pino } from 'pino';
import { parseCosigningKey, type CosigningKey } from '#protocol/cosignature.ts';
import { ProtocolError } from '#protocol/error.ts';
import {
  formatSigningKey,
  formatVerifierKey,
  generateSigningKey,
  isKeyName,
  parseVerifierKey,
} from '#protocol/note.ts';
import { isVerifierKey } from '../../config/kinds.ts';
import { readConfig, type Parsed } from '../../config/schema.ts';
import { ConfigError } from '../../config/yaml.ts';
import { keepAlive, tellManager } from '../../service/manager.ts';
import { KEYS } from './config.ts';
import { startWitness } from './server.ts';
import { Witness } from './witness.ts';

const USAGE = `usage: hushwatch witness run | check  FILE
       hushwatch witness init --home DIRECTORY --name NAME --log LOG_KEY

  run      cosign checkpoints of the logs that FILE names, as long as they only grow
  check    read FILE, say what is wrong
  init     make a key and witness.yaml in DIRECTORY; prints the key that collectors and auditors need

The directory of FILE holds witness.key and what was seen last: lose that, and the witness forgets what it knew.
exit: 0 done, 2 usage, 3 configuration

example: hushwatch witness init --home /var/lib/hushwatch-witness --name witness.example.org/w1 --log "$(cat log.pub)"
`;

export async function main(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    strict: false,
    options: {
      config: { type: 'string' },
      home: { type: 'string' },
      name: { type: 'string' },
      log: { type: 'string' },
    },
  });
  const text = (value: unknown): string => (typeof value === 'string' ? value : '');
  const [verb, given, ...more] = positionals;
  const [home, name, log] = [values.home, values.name, values.log].map(text);
  const file = given ?? text(values.config);
  try {
    if (given === undefined && verb === 'init' && home && name && log) return init(resolve(home), name, log);
    if (more.length === 0 && verb === 'check' && file) return check(file);
    if (more.length === 0 && verb === 'run' && file) return await run(file);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`hushwatch witness: ${error.message}\n`);
    return 3;
  }
  process.stderr.write(USAGE);
  return 2;
}

function init(home: string, name: string, log: string): number {
  if (!isKeyName(name) || !isVerifierKey(log.trim()))
    throw new ConfigError('--name holds a space or plus, or --log no key');
  mkdirSync(home, { recursive: true, mode: 0o750 });
  const keep = (file: string, mode: number, text: () => string): void => {
    if (!existsSync(join(home, file))) writeFileSync(join(home, file), text(), { mode, flag: 'wx' });
  };
  keep('witness.key', 0o600, () => formatSigningKey(generateSigningKey(name)));
  const vkey = formatVerifierKey(readKey(home, name).verifier);
  keep('witness.pub', 0o644, () => `${vkey}\n`);
  keep('witness.yaml', 0o640, () => `name: ${name}\nlisten: 127.0.0.1:8442\nlogs:\n  - ${log.trim()}\n`);
  process.stdout.write(`witness_key: ${vkey}\n`);
  return 0;
}

function readKey(home: string, name: string): CosigningKey {
  const file = join(home, 'witness.key');
  try {
    return parseCosigningKey(name, readFileSync(file, 'utf8'));
  } catch (error) {
    if (error instanceof ProtocolError || !existsSync(file))
      throw new ConfigError(`${file}: is no key; make one with hushwatch witness init`);
    throw error;
  }
}

function check(file: string): number {
  const config = readConfig(file, KEYS);
  readKey(dirname(resolve(file)), config.name);
  process.stdout.write(`${file}: good; ${config.logs.length} logs are watched\n`);
  return 0;
}

async function run(file: string): Promise<number> {
  const config: Parsed<typeof KEYS> = readConfig(file, KEYS);
  const home = dirname(resolve(file));
  const logger = pino({ base: null });
  const stop = Promise.withResolvers<void>();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.resolve());
  using witness = await Witness.open({
    home,
    key: readKey(home, config.name),
    logs: config.logs.map((log) => parseVerifierKey(log)),
  });
  await using server = await startWitness(witness, config.listen, logger);
  const alive = keepAlive(() => true);
  tellManager('READY=1');
  logger.info({ port: server.port, logs: config.logs.length }, 'ready');
  await stop.promise;
  tellManager('STOPPING=1');
  alive.end();
  return 0;
}
