/**
 * The collector as a process: opens everything, the same way after a crash as after a stop, and runs door, follower,
 * webhooks and dashboard until it is told to stop or the log breaks. Then it ends; who supervises it starts it again.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { parseCosignerKey } from '#protocol/cosignature.ts';
import type { Reviewers } from '#protocol/approval.ts';
import { keepAlive, tellManager } from '../service/manager.ts';
import { VERSION } from '../service/version.ts';
import { Approvals } from './approvals.ts';
import { Chains } from './chains.ts';
import { followWitnesses } from './cosigning.ts';
import { DetectorChanges } from './changes.ts';
import type { Config } from './config.ts';
import { startDashboard } from './dashboard/server.ts';
import { Detecting } from './detecting.ts';
import type { Alert } from './detectors/detector.ts';
import { tellAlone } from './detectors/stories.ts';
import { EvidenceStore } from './evidence.ts';
import type { InForce } from './in-force.ts';
import { readLogKey } from './keys.ts';
import { TransparencyLog } from './log.ts';
import { Feeds } from './outputs/feeds.ts';
import { makeOutputs } from './outputs/outputs.ts';
import { nowUs } from './pipeline.ts';
import { startReceiver } from './receive.ts';
import { Registry } from './registry.ts';
import { reloaderOf } from './reload.ts';
import { Rulesets } from './rulesets.ts';
import { State } from './state.ts';
import { COLLECTOR_METRICS } from '../telemetry/metrics.ts';
import { telemetryWhenAsked } from '../telemetry/when-asked.ts';
import { collectorReadings, type Watched } from './telemetry.ts';
import { TokenFile } from './tokens.ts';
import { tuningViewOf } from './tuning-view.ts';
import { viewOf } from './view.ts';
import { Follower } from './watch.ts';
import { ConfigError } from '../config/yaml.ts';

const LOOK_AT_REGISTRY_MS = 1_000;

/** What is read before anything is opened: a mistake here is the operator's to mend. */
export interface Settings {
  readonly config: Config;
  readonly configFile: string;
  readonly registry: Registry;
  readonly rulesets: Rulesets;
  readonly inForce: InForce;
  readonly reviewers: Reviewers | undefined;
}

/** Resolves when asked to stop; rejects when the log broke. */
export async function runCollector(settings: Settings, logger: Logger, stop: AbortSignal): Promise<void> {
  const { config, configFile, registry, rulesets } = settings;
  const { home } = config;
  // After going back to an earlier version there may be rules of the later one: they stay, and their batches wait on nodes.
  for (const problem of rulesets.problems) logger.warn({ problem }, 'a file in rulesets/ cannot be read');
  const read = (name: string): string => readFileSync(join(home, name), 'utf8');

  const key = readLogKey(home, config.origin);
  await using log = await TransparencyLog.open(join(home, 'log'), key);
  const evidence = await EvidenceStore.open(home);
  using state = State.open(join(home, 'state.sqlite'));
  await state.follow(log, async ({ body, time }) => (await evidence.keptAt(body.sha256)) ?? time.last);
  const follow = (): Promise<void> => state.follow(log, nowUs);
  const changing = { configFile, key, log, state, follow, logger, now: nowUs };
  const changes = await DetectorChanges.open(changing, settings.inForce);
  const rulepacks = {
    get rules() {
      return changes.current.rulepacks.rules;
    },
  };
  const detecting = new Detecting(rulesets, state, changes);
  const approvals = await Approvals.open({ home, reviewers: settings.reviewers, log, state, follow, logger });
  const collector = { registry, rulesets, approvals, chains: new Chains(state), evidence, log, state };

  const publishing = Promise.withResolvers<Error>();
  const refreshing = setInterval(() => {
    refresh(registry, 'nodes.yaml', logger);
    for (const work of [approvals.publish(), changes.refresh()])
      failureOf(work).then((failure) => failure && publishing.resolve(failure), publishing.reject);
  }, LOOK_AT_REGISTRY_MS);
  using _ = { [Symbol.dispose]: () => clearInterval(refreshing) };

  await using feeds = new Feeds(state, logger);
  await feeds.become(await makeOutputs(config));
  const ending = new AbortController();
  const following = failureOf(
    detecting.watch(new Follower({ log, evidence, state }, detecting.detection), ending.signal),
  );
  const witnesses = config.witnesses.map((one) => ({ key: parseCosignerKey(one.key), url: one.url }));
  const alarm = (alert: Alert): void => {
    const told = tellAlone(alert);
    state.commitStep({ alerts: [told.alert], stories: [told.story] });
  };
  const cosigning = failureOf(followWitnesses({ log, logKey: key.verifier, witnesses, logger, alarm }, ending.signal));
  // Disposed in reverse: first the doors, then the followers, then what they stand on.
  await using _follower = {
    [Symbol.asyncDispose]: async () => {
      ending.abort();
      await Promise.all([following, cosigning]);
    },
  };
  await using receiver = await startReceiver({
    collector,
    address: config.listen,
    tls: { key: read('tls.key'), cert: read('tls.crt') },
    logDirectory: join(home, 'log'),
    logger,
  });
  using tuning = tuningViewOf({ home, state, registry, rulesets, inForce: () => changes.current });
  const view = viewOf({ state, evidence, registry, log, rulesets, rulepacks, tuning });
  const dashboard = await startDashboard(view, {
    ...config.dashboard,
    names: config.dashboard_names,
    token: read('dashboard.token').trim(),
    tokens: new TokenFile(home),
  });
  await using _dashboard = { [Symbol.asyncDispose]: () => dashboard.close() };
  await using _telemetry = await telemetryOf({ home, log, state, feeds }, config, logger);
  const detectAnew = (): void => changes.signal();
  const reloader = reloaderOf({ configFile, config, registry, approvals, receiver, feeds, detectAnew, logger });
  using _reloader = { [Symbol.dispose]: () => reloader.end() };
  const alive = keepAlive(() => true);
  tellManager('READY=1');
  logger.info({ port: receiver.port, dashboard: dashboard.port, entries: log.size }, 'ready');

  const stopped = new Promise<undefined>((settle) => {
    if (stop.aborted) settle(undefined);
    stop.addEventListener('abort', () => settle(undefined));
  });
  const failure = await Promise.race([
    stopped,
    log.broken,
    state.broken,
    publishing.promise,
    following,
    cosigning,
    feeds.broken,
  ]);
  alive.end();
  tellManager('STOPPING=1');
  if (failure !== undefined) throw failure;
}

function telemetryOf(watched: Watched, config: Config, logger: Logger): Promise<AsyncDisposable | undefined> {
  const readings = collectorReadings(watched);
  return telemetryWhenAsked(
    { service: 'hushwatch-collector', version: VERSION, metrics: COLLECTOR_METRICS, readings },
    { listen: config.metrics, otlp: config.otlp_metrics, tell: (problem) => logger.warn(problem) },
  );
}

async function failureOf(work: Promise<void>): Promise<Error | undefined> {
  try {
    await work;
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

function refresh(file: { refresh(): boolean }, name: string, logger: Logger): void {
  try {
    if (file.refresh()) logger.info(`${name} was read again`);
  } catch (error) {
    const problem = error instanceof ConfigError ? error.message : String(error);
    logger.error({ problem }, `${name} has a mistake; the former one stays in force`);
  }
}
