/** `hushwatch shipper`: the process that has the network, and therefore neither raw events nor a key that signs them. */
import { parseArgs } from 'node:util';
import pino from 'pino';
import { parseVerifierKey } from '#protocol/note.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import { keepAlive, tellManager } from '../../service/manager.ts';
import { placeOf } from '../../service/places.ts';
import { describeKeys } from '../../config/pages.ts';
import { readConfig } from '../../config/schema.ts';
import { ConfigError } from '../../config/yaml.ts';
import { KEYS } from './config.ts';
import { ship } from './pipeline.ts';
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
      process.stdout.write(`${file}: good\n`);
      return 0;
    }
    return await run(config, logKey);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`hushwatch shipper: the configuration cannot be used\n${error.message}\n`);
    return 3;
  }
}

async function run(
  config: ReturnType<typeof readConfig<typeof KEYS>>,
  logKey: ReturnType<typeof parseVerifierKey>,
): Promise<number> {
  const log = pino(
    { name: 'hushwatch-shipper', base: null, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination(2),
  );
  const stop = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.on(name, () => stop.abort());
  const uplink = new Uplink({
    url: config.collector,
    pin: config.collector_pin,
    keyFile: config.tls_key,
    certificateFile: config.tls_cert,
    tell: (what, detail) => log.info(detail, what),
  });
  const alive = keepAlive(() => true);
  tellManager('READY=1');
  while (!stop.signal.aborted) {
    try {
      await ship({ spool: config.spool, receipts: config.receipts, logKey }, uplink, stop.signal);
    } catch (error) {
      if (stop.signal.aborted) break;
      log.warn(
        { why: wordsOf(error), code: error instanceof Refused ? error.code : undefined },
        'not shipped; the batches wait in the spool',
      );
      if (!(error instanceof Refused)) continue;
      noteRefusal(config.receipts, error);
      await sleep(AFTER_REFUSAL_MS, undefined, { signal: stop.signal }).catch(() => {});
    }
  }
  alive.end();
  return 0;
}
