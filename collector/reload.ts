/**
 * What SIGHUP puts into force at the collector: outputs, certificate, reviewers, nodes, and what detects. Each part looks at all that it
 * needs before any part changes; what cannot change while we run waits, and is named.
 */
import { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { waitingForStart } from '../config/schema.ts';
import { Reloader, type Commit } from '../service/reload.ts';
import { readTlsIdentity } from '../service/tls-identity.ts';
import { readReviewers, type Approvals } from './approvals.ts';
import { KEYS, readConfig, reportIn, type Config } from './config.ts';
import { readInForce } from './in-force.ts';
import { pinOf } from './keys.ts';
import type { Feeds } from './outputs/feeds.ts';
import { makeOutputs } from './outputs/outputs.ts';
import { nowUs } from './pipeline.ts';
import type { Receiver } from './receive.ts';
import type { Registry } from './registry.ts';

export interface Running {
  readonly configFile: string;
  /** With which it began. */
  readonly config: Config;
  readonly registry: Registry;
  readonly approvals: Approvals;
  readonly receiver: Receiver;
  readonly feeds: Feeds;
  /** Reads rules, knobs and suppressions anew. */
  readonly detectAnew: () => void;
  readonly logger: Logger;
}

export function reloaderOf(running: Running): Reloader<Config> {
  const { config, configFile, logger } = running;
  return new Reloader({
    file: configFile,
    report: reportIn(config.home),
    read: () => readConfig(configFile),
    prepare: async (next) => {
      const commits: Commit[] = [];
      for (const part of PARTS) commits.push(await part(next, running));
      return async () => {
        for (const commit of commits) await commit();
      };
    },
    waiting: (next) => waitingForStart(config, next, KEYS),
    log: logger,
  });
}

type Part = (next: Config, running: Running) => Commit | Promise<Commit>;

const PARTS: readonly Part[] = [
  (_, { registry }) => registry.prepare(),
  ({ home }, { approvals }) => {
    const reviewers = readReviewers(home);
    return () => approvals.trust(reviewers);
  },
  ({ home }, { receiver, logger }) => {
    const { key, certificate } = readTlsIdentity(join(home, 'tls.key'), join(home, 'tls.crt'));
    const pin = pinOf(new X509Certificate(certificate));
    return () => {
      if (receiver.renew({ key, cert: certificate }) !== pin)
        logger.warn({ pin }, 'the TLS key is another: nodes that pin the former one will not speak to it');
    };
  },
  async (next, { feeds }) => {
    const outputs = await makeOutputs(next);
    return () => feeds.become(outputs);
  },
  (_, { configFile, detectAnew }) => {
    readInForce(configFile, nowUs());
    return detectAnew;
  },
];
