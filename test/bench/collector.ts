/**
 * What the collector costs: events a second through accept(), from bytes to durable receipt, and through watch(), from
 * evidence to alerts, each with the processor time it took. `node test/bench/collector.ts` prints JSON.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { accept, watch } from '../../collector/pipeline.ts';
import { Detection } from '../../collector/detectors/detection.ts';
import { epochRulesOf } from '../../collector/epochs.ts';
import { makeDetectors } from '../../collector/detectors/detectors.ts';
import { loadPack, STARTER_PACK } from '../../collector/detectors/pack.ts';
import { clearOf } from '../../collector/detectors/sigma/plan.ts';
import { Follower } from '../../collector/watch.ts';
import { compileRuleset } from '../../redaction-rules/compile.ts';
import { exposure } from '../../redaction-rules/exposure.ts';
import { compileReleasedValidator } from '../../redaction-rules/released-schema.ts';
import { parseRuleset } from '../../redaction-rules/ruleset.ts';
import { openCollector, SampleNode } from '../collector/sample.ts';

export interface CollectorCost {
  readonly batches: number;
  readonly eventsPerBatch: number;
  readonly bytesPerEvent: number;
  readonly accept: Rate;
  readonly watch: Rate;
}

export interface Rate {
  readonly eventsPerSecond: number;
  readonly batchesPerSecond: number;
  /** Of processor time, all threads of ours together. */
  readonly eventsPerCoreSecond: number;
  readonly microsecondsPerEvent: number;
}

const RULESET = fileURLToPath(new URL('../../redaction-rules/rulesets/generic-linux.yaml', import.meta.url));

export async function benchCollector(batches = 240, eventsPerBatch = 500, nodes = 8): Promise<CollectorCost> {
  const home = mkdtempSync(join(tmpdir(), 'hushwatch-bench-'));
  try {
    const ruleset = parseRuleset(readFileSync(RULESET, 'utf8'), RULESET);
    const redactor = compileRuleset(ruleset, { node: randomBytes(32) });
    const senders = Array.from({ length: nodes }, (_, i) => new SampleNode(`node-${i}`));
    await using opened = await openCollector(home, senders);
    const validate = compileReleasedValidator(ruleset);
    const collector = {
      ...opened,
      rulesets: {
        validatorOf: (digest: string) => (digest === ruleset.digest ? validate : undefined),
        epochsOf: () => epochRulesOf(ruleset),
        isUnreadable: () => false,
      },
    };
    let bytesOfEvents = 0;
    const sent = Array.from({ length: batches }, (_, i) => {
      const lines = eventsOf(i, eventsPerBatch).flatMap((event) => redactor.redact(event)?.line ?? []);
      if (lines.length !== eventsPerBatch) throw new Error('the ruleset withholds an event of the benchmark');
      bytesOfEvents += lines.reduce((sum, line) => sum + line.length, 0);
      return senders[i % nodes]?.next(lines, { ruleset: ruleset.digest }) ?? new Uint8Array();
    });
    const events = batches * eventsPerBatch;

    const accepting = await measure(events, batches, async () => {
      const window = 8 * nodes;
      for (let at = 0; at < sent.length; at += window) {
        await Promise.all(sent.slice(at, at + window).map((bytes) => accept(collector, bytes)));
      }
    });

    const pack = loadPack(STARTER_PACK);
    const detectors = makeDetectors({ pack, clearFor: () => clearOf(exposure(ruleset)) });
    const watching = await measure(events, batches, async () => {
      const detection = new Detection({ detectors });
      const follower = new Follower(collector, detection);
      const stop = new AbortController();
      const done = watch(follower, detection, stop.signal);
      while ((collector.state.cursor('detectors') ?? 0) < batches) await new Promise((settle) => setTimeout(settle, 5));
      stop.abort();
      await done;
    });
    return {
      batches,
      eventsPerBatch,
      bytesPerEvent: Math.round(bytesOfEvents / events),
      accept: accepting,
      watch: watching,
    };
  } finally {
    rmSync(home, { recursive: true });
  }
}

async function measure(events: number, batches: number, work: () => Promise<void>): Promise<Rate> {
  const startedAt = performance.now();
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  const seconds = (performance.now() - startedAt) / 1000;
  return {
    eventsPerSecond: Math.round(events / seconds),
    batchesPerSecond: Math.round(batches / seconds),
    eventsPerCoreSecond: Math.round(events / ((user + system) / 1e6)),
    microsecondsPerEvent: Math.round(((user + system) / events) * 100) / 100,
  };
}

type RawEvent = Parameters<ReturnType<typeof compileRuleset>['redact']>[0];

/** Mostly file events, some programs and connections, as a server has them. */
function eventsOf(batch: number, count: number): readonly RawEvent[] {
  return Array.from({ length: count }, (_, i) => {
    const time = 1_790_000_000_000_000 + (batch * count + i) * 1000;
    const pid = 1000 + ((batch * 7 + i) % 300);
    const actor = {
      'process.entity.id': `${pid}-88123456${pid}`,
      'process.pid': pid,
      'process.executable.path': `/usr/bin/tool${i % 40}`,
      'process.user.id': 0,
      'process.user.name': 'root',
    };
    if (i % 20 === 0) {
      const attributes = {
        ...actor,
        'process.parent.entity.id': '900-88000000000',
        'process.parent_pid': 900,
        'process.parent.executable.path': '/usr/bin/bash',
        'process.ancestors': ['/usr/bin/bash', '/usr/sbin/sshd'],
        'process.command_args': ['tool', '-o', `/tmp/out${i}`, '--verbose'],
        'process.args_count': 4,
      };
      return { name: 'process.exec', time, attributes };
    }
    if (i % 20 === 1) {
      const attributes = {
        ...actor,
        'network.transport': 'tcp',
        'network.type': 'ipv4',
        'network.peer.address': `203.0.113.${i % 250}`,
        'network.peer.port': 443,
      };
      return { name: 'network.connect', time, attributes };
    }
    const attributes = {
      ...actor,
      'file.path': `/var/lib/app/data/segment-${batch}/${i}.tmp`,
      'file.path.origin': 'kernel',
      'file.open.access': 'write',
      'file.open.created': true,
    };
    return { name: 'file.open', time, attributes };
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.stdout.write(`${JSON.stringify(await benchCollector(), null, 2)}\n`);
}
