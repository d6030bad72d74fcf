/** `hushwatch shipper`: the process that has the network, and therefore neither raw events nor a key that signs them. */
import { parseArgs } from 'node:util';
import { join } from 'node:path';
import pino, { type Logger } from 'pino';
import { parseVerifierKey, type VerifierKey } from '#protocol/note.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import { keepAlive, tellManager } from '../../service/manager.ts';
import { keepTidy } from '../../service/tidy.ts';
import { placeOf } from '../../service/places.ts';
import { describeKeys } from '../../config/pages.ts';
import { readConfig, waitingForStart, type Parsed } from '../../config/schema.ts';
import { InForce } from '../../service/in-force.ts';
import { Reloader } from '../../service/reload.ts';
import { ConfigError } from '../../config/yaml.ts';
import { KEYS } from './config.ts';
import { ship } from './pipeline.ts';
import { identityOf } from './identity.ts';
import { noteRefusal } from './refusal.ts';
import { Refused, Uplink, wordsOf } from './uplink.ts';

const USAGE = `usage: hushwatch shipper run | check  [FILE]

  run      carry batches from the spool to the collector, bring back receipts, until SIGTERM
  check    read the configuration and the certificate, say what is wrong, exit 0 or 3

FILE, or --config FILE, is /etc/hushwatch/shipper.yaml unless another is named. SIGHUP reads it again.

example: hushwatch shipper check /etc/hushwatch/shipper.yaml

keys of the configuration
${describeKeys(KEYS)}
`;

/** A refusal is for a person; asking again every second helps nobody. */
const AFTER_REFUSAL_MS = 5_000;
/** So few a minute are little: a node on which hardly anything happens sends a hundred. */
const QUIET_BATCHES = 150;

export async function main(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    strict: false,
    options: { config: { type: 'string' } },
  });
  const [verb, named, ...more] = positionals;
  const file = values.config ?? named ?? placeOf('shipper');
  if (typeof file !== 'string' || more.length > 0 || (verb !== 'run' && verb !== 'check')) {
    process.stderr.write(USAGE);
    return 2;
  }
  try {
    const config = readConfig(file, KEYS);
    const logKey = parseVerifierKey(config.log_key);
    if (verb === 'check') {
      identityOf(config);
      process.stdout.write(`${file}: good; batches go to ${config.collector}\n`);
      return 0;
    }
    return await run(file, config, logKey);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`hushwatch shipper: the configuration cannot be used\n${error.message}\n`);
    return 3;
  }
}

type ShipperConfig = Parsed<typeof KEYS>;

/** Beside the receipts, which is all that the shipper may write. */
export const reportOf = ({ receipts }: Pick<ShipperConfig, 'receipts'>): string => join(receipts, 'configuration.json');

async function run(file: string, config: ShipperConfig, logKey: VerifierKey): Promise<number> {
  const log = pino(
    { name: 'hushwatch-shipper', base: null, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination(2),
  );
  const stop = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.on(name, () => stop.abort());
  // Another one ends the connection of the one before; answers that are under way still come.
  const way = new InForce(uplinkOf(config, log));
  const reloader = new Reloader({
    file,
    report: reportOf(config),
    read: () => readConfig(file, KEYS),
    prepare: (next) => {
      const uplink = uplinkOf(next, log);
      return () => way.become(uplink);
    },
    waiting: (next) => waitingForStart(config, next, KEYS),
    log,
  });
  const alive = keepAlive(() => true);
  const tidy = keepTidy(() => way.now.carried, QUIET_BATCHES);
  tellManager('READY=1');
  while (!stop.signal.aborted) {
    const until = AbortSignal.any([stop.signal, way.changed]);
    try {
      await ship({ spool: config.spool, receipts: config.receipts, logKey }, way.now, until);
    } catch (error) {
      if (until.aborted) continue;
      log.warn(
        { why: wordsOf(error), code: error instanceof Refused ? error.code : undefined },
        'not shipped; the batches wait in the spool',
      );
      if (!(error instanceof Refused)) continue;
      noteRefusal(config.receipts, error);
      await sleep(AFTER_REFUSAL_MS, undefined, { signal: until }).catch(() => {});
    }
  }
  reloader.end();
  alive.end();
  tidy.end();
  return 0;
}

/** Throws ConfigError when key and certificate cannot be used. */
function uplinkOf(config: ShipperConfig, log: Logger): Uplink {
  const tell = (what: string, detail: Readonly<Record<string, string | number>>): void => log.info(detail, what);
  const { key, certificate } = identityOf(config);
  return new Uplink({ url: config.collector, pin: config.collector_pin, key, certificate, tell });
}
