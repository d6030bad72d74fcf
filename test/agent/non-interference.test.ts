/**
 * Non-interference, of the whole agent: two histories that differ only in what the ruleset withholds leave the same bytes
 * behind, in every file, log line and counter. Without node-side rules there is no exception; with them, the names of
 * those that matched.
 */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { decodeBatch, unpackLines } from '#protocol/batch.ts';
import { formatVerifierKey } from '#protocol/note.ts';
import type { Statement } from '#protocol/statement.ts';
import { openAgent, type Agent } from '../../agent/agent.ts';
import { parseConfig } from '../../config/schema.ts';
import { KEYS } from '../../agent/config.ts';
import { derive, Deriver } from '../../agent/derive.ts';
import { realDisk, type Disk } from '../../agent/disk.ts';
import { Enricher } from '../../agent/enrich.ts';
import type { RawEvent } from '../../agent/event.ts';
import { openIdentity } from '../../agent/identity.ts';
import { observe, record, type Line } from '../../agent/pipeline.ts';
import { ProcessTable } from '../../agent/process-table.ts';
import type { Frame } from '../../agent/sources/frame.ts';
import { FileSpool } from '../../agent/spool.ts';
import { UserNames } from '../../agent/users.ts';
import { STARTER_PACK } from '../../collector/detectors/pack.ts';
import { compileBound } from '../../collector/detectors/sigma/compile.ts';
import { approvalOfPack, approvalOfRuleset } from '../../redaction-rules/approve.ts';
import type { Rule } from '../../redaction-rules/rule.ts';
import type { Ruleset } from '../../redaction-rules/ruleset.ts';
import { generateSealKey, sealKeys } from '../../redaction-rules/sealed-keys.ts';
import { writeApproved } from '../protocol/approved.ts';
import { fixedKey, logKey } from '../protocol/sample.ts';
import { attributesOf, EVENT_NAMES } from '../redaction-rules/raw-events.ts';
import { SHIPPED } from '../redaction-rules/shipped.ts';
import { FakeFiles } from './derive/fake-files.ts';
import { execFrame, openFrame, stillClock } from './sample.ts';

const authority = fixedKey('authority', 41);
/** Time closes no batch here: what does is what is released. */
const NEVER_MS = 1e9;
/** This write to the spool fails once, so that there is a problem to tell. */
const FAILING_WRITE = 3;
const START = 1_790_000_000_000_000;

/** All that a run of the agent leaves for anybody to see. */
interface Trace {
  /** Every file below its directory but keys, by name. */
  readonly files: Readonly<Record<string, string>>;
  readonly statements: readonly Statement[];
  readonly lines: readonly string[];
  readonly said: readonly string[];
  readonly unknown: readonly (readonly [string, number])[];
}

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'hushwatch-interference-'));
});
afterEach(() => rmSync(home, { recursive: true }));

/** A directory with the keys, approvals and sealed roots of one node. */
async function prepare(file: string): Promise<string> {
  const directory = join(home, 'template');
  mkdirSync(directory);
  await writeApproved(directory, [approvalOfRuleset(file), approvalOfPack(STARTER_PACK, 'rules', 1)]);
  openIdentity(join(directory, 'identity.key'), 'node-1');
  const seal = await generateSealKey();
  const root = { lasting: Buffer.alloc(32, 5), hour: Math.floor(START / 3.6e9) - 200, chain: Buffer.alloc(32, 6) };
  writeFileSync(join(directory, 'seal.key'), Buffer.from(seal.secret).toString('base64'), { mode: 0o600 });
  const to = { node: 'node-1', cohort: 'subnet-1', publicKey: seal.public };
  writeFileSync(join(directory, 'sealed'), await sealKeys(to, { cohort: root }, authority));
  // Made now, so that every copy has the same roots.
  await openIn(directory, file);
  rmSync(join(directory, 'spool'), { recursive: true });
  return directory;
}

async function openIn(directory: string, file: string): Promise<Agent> {
  const role = SHIPPED.find((shipped) => shipped.file === file)?.ruleset.role ?? '';
  const text = [
    ...['node: node-1', `role: ${role}`, 'cohort: subnet-1', `ruleset: ${file}`, `rule_pack: ${STARTER_PACK}`],
    ...[`log_key: ${formatVerifierKey(logKey.verifier)}`, `authority: ${formatVerifierKey(authority.verifier)}`],
    ...['identity: identity.key', 'pseudonym_key: pseudonym.key', 'sealed_keys: sealed', 'seal_key: seal.key'],
    ...['spool: spool', 'approvals: approvals', 'reviewers: reviewers', 'receipts: receipts'],
  ].join('\n');
  return await openAgent(parseConfig(text, join(directory, 'agent.yaml'), KEYS));
}

function failingOnce(): Disk {
  let writes = 0;
  return {
    ...realDisk,
    async writeDurably(path, bytes) {
      if (writes++ === FAILING_WRITE) throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
      await realDisk.writeDurably(path, bytes);
    },
  };
}

type Feed = (line: Line) => AsyncIterable<readonly RawEvent[]>;
interface Run {
  readonly template: string;
  readonly file: string;
  /** Node-side rules: none, or the pack that was approved. */
  readonly rules: 'none' | 'approved';
  readonly spoil?: (line: Line) => Line;
}

/** The agent, from its configuration to the files of its spool, over these events. */
async function trace({ template, file, rules, spoil = (line) => line }: Run, feed: Feed): Promise<Trace> {
  const directory = mkdtempSync(join(home, 'run-'));
  cpSync(template, directory, { recursive: true });
  const said: string[] = [];
  const listen = (chunk: unknown): boolean => said.push(String(chunk)) > 0;
  const spies = [process.stdout, process.stderr].map((stream) => vi.spyOn(stream, 'write').mockImplementation(listen));
  try {
    const agent = await openIn(directory, file);
    const spool = await FileSpool.open(
      join(directory, 'spool'),
      openIdentity(join(directory, 'identity.key'), 'node-1'),
      1 << 28,
      failingOnce(),
    );
    const matcher = rules === 'none' ? compileBound([]) : agent.line.matcher;
    const line = spoil({ ...agent.line, spool, matcher });
    const limits = { events: 40, bytes: 1 << 24, ageMs: NEVER_MS, heartbeatMs: NEVER_MS };
    await record(feed(line), line, agent.herald, limits, (problem) => {
      if (problem !== undefined) said.push(`${problem.name} ${problem.message}`);
    });
    return { ...leftIn(directory), said, unknown: [...line.redactor.unknownNames] };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

function leftIn(directory: string): Pick<Trace, 'files' | 'statements' | 'lines'> {
  const names = readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
    .toSorted();
  const batches = names
    .filter((name) => name.endsWith('.batch'))
    .map((name) => decodeBatch(readFileSync(join(directory, name))));
  return {
    files: Object.fromEntries(names.map((name) => [name, readFileSync(join(directory, name), 'base64')])),
    statements: batches.map(({ statement }) => statement),
    lines: batches.flatMap(({ body, statement }) => unpackLines(body, statement.body.unpacked, statement.events)),
  };
}

async function* chunksOf<T>(items: readonly T[]): AsyncGenerator<readonly T[]> {
  for (let i = 0; i < items.length; i += 7) yield items.slice(i, i + 7);
}

const drops = (rule: Rule | undefined): boolean => rule?.do === 'drop';

interface Pair {
  readonly one: RawEvent;
  readonly two: RawEvent;
}

/** Two events of that name, alike but for what is withheld: dropped attributes, and secrets among arguments. */
function pairOf(name: RawEvent['name'], ruleset: Ruleset): fc.Arbitrary<Pair> {
  const rules = ruleset.events.get(name) ?? new Map<string, Rule>();
  const secret = fc.string({ minLength: 1, maxLength: 40 });
  return fc
    .record({
      kept: attributesOf(name),
      others: fc.tuple(attributesOf(name), attributesOf(name)),
      secrets: fc.tuple(secret, secret),
      at: fc.nat(10_000_000),
    })
    .map(({ kept, others, secrets, at }) => {
      const [one, two] = others.map((other, i) => {
        const mixed = [...rules].map(([attribute, rule]): [string, unknown] => {
          if (drops(rule)) return [attribute, other[attribute]];
          if (rule.do === 'argv' && Object.hasOwn(kept, attribute))
            return [attribute, ['mysql', `--password=${secrets[i]}`, `-p${secrets[i]}`]];
          return [attribute, kept[attribute]];
        });
        const attributes = Object.fromEntries(mixed.filter(([, value]) => value !== undefined));
        return { name, time: START + at, attributes };
      });
      if (one === undefined || two === undefined) throw new Error('two of each');
      return { one, two };
    });
}

/** Some of every event, mixed as they would come. */
const histories = (ruleset: Ruleset, seed: number, each: number): readonly Pair[] =>
  Array.from({ length: each }, (_, i) =>
    EVENT_NAMES.flatMap((name, n) => fc.sample(pairOf(name, ruleset), { seed: seed + i * 1_000 + n, numRuns: 1 })),
  ).flat();

const feedOf =
  (pairs: readonly Pair[], which: keyof Pair): Feed =>
  () =>
    chunksOf(pairs.map((pair) => pair[which]));

const withoutMatches = (line: string): string => line.replace(/,"detection\.rules":\[[^\]]*\]/, '');
/** Without what depends on a body's bytes, which may differ by the names of rules. */
const countsOf = (statement: Statement): object => ({ ...statement, body: undefined, previous: undefined });

for (const { file, ruleset } of SHIPPED) {
  describe(ruleset.name, () => {
    test('every event: what is withheld changes no byte of what stays behind', { timeout: 120_000 }, async () => {
      const template = await prepare(file);
      const pairs = histories(ruleset, 1, 4);
      const [one, two] = [
        await trace({ template, file, rules: 'none' }, feedOf(pairs, 'one')),
        await trace({ template, file, rules: 'none' }, feedOf(pairs, 'two')),
      ];
      expect(two).toEqual(one);
      // It ran: the events are there, but for the batch that could not be written, of which was told.
      expect(one.lines.length).toBeGreaterThan(pairs.length - 60);
      expect(one.said).toContain('Error no space');
      expect(pairs.some((pair) => JSON.stringify(pair.one) !== JSON.stringify(pair.two))).toBe(true);
    });

    test('with the approved pack: nothing but which rules matched', { timeout: 120_000 }, async () => {
      const template = await prepare(file);
      const pairs = histories(ruleset, 3, 2);
      const [one, two] = [
        await trace({ template, file, rules: 'approved' }, feedOf(pairs, 'one')),
        await trace({ template, file, rules: 'approved' }, feedOf(pairs, 'two')),
      ];
      expect(two.lines.map(withoutMatches)).toEqual(one.lines.map(withoutMatches));
      expect(two.statements.map(countsOf)).toEqual(one.statements.map(countsOf));
      expect([two.said, two.unknown]).toEqual([one.said, one.unknown]);
    });

    test('from frames: where the lines are alike, so is everything', { timeout: 120_000 }, async () => {
      const template = await prepare(file);
      let alike = 0;
      for (const frames of FRAME_PAIRS) {
        const [one, two] = [
          await trace({ template, file, rules: 'none' }, fromFrames(frames.one)),
          await trace({ template, file, rules: 'none' }, fromFrames(frames.two)),
        ];
        if (JSON.stringify(one.lines) !== JSON.stringify(two.lines)) continue;
        alike++;
        expect(two, frames.what).toEqual(one);
      }
      expect(alike).toBeGreaterThanOrEqual(2);
    });
  });
}

interface FramePair {
  readonly what: string;
  readonly one: readonly Frame[];
  readonly two: readonly Frame[];
}

/** The kernel's own words, alike but for one. */
const FRAME_PAIRS: readonly FramePair[] = [
  {
    what: 'a password of another length',
    one: [execFrame({ args: ['mysql', '-phunter2'] })],
    two: [execFrame({ args: ['mysql', '-pcorrect-horse-battery-staple'] })],
  },
  {
    what: 'a secret of the parent',
    one: [execFrame({ args: ['sh', '-c', 'TOKEN=a b'] }), execFrame({ parentPid: 4711, pid: 4712 })],
    two: [execFrame({ args: ['sh', '-c', 'TOKEN=abcdef b'] }), execFrame({ parentPid: 4711, pid: 4712 })],
  },
  {
    what: 'another token in a header',
    one: [execFrame({ args: ['curl', '-H', 'Authorization: Bearer a'] }), openFrame({})],
    two: [execFrame({ args: ['curl', '-H', 'Authorization: Bearer abcdefgh'] }), openFrame({})],
  },
];

const fromFrames =
  (frames: readonly Frame[]): Feed =>
  ({ ledger }) => {
    const enricher = new Enricher(new ProcessTable(home), new UserNames('/nonexistent'), stillClock);
    const observed = observe(chunksOf(frames), enricher, ledger, { met: () => [], left: () => {} });
    return derive(observed, new Deriver(new FakeFiles(), () => undefined), () => 0);
  };

describe('the test would notice', () => {
  const [shipped] = SHIPPED;
  if (shipped === undefined) throw new Error('there are rulesets');
  const { file, ruleset } = shipped;
  const path = (event: RawEvent | { attributes: object }): string => JSON.stringify(event.attributes);
  const spoilt: Readonly<Record<string, (line: Line) => Line>> = {
    'an event withheld for what it holds': (line) => {
      const { redactor } = line;
      return {
        ...line,
        redactor: {
          ...{ unknown: 0, unknownNames: new Map() },
          redact: (event) => (path(event).length % 2 === 0 ? undefined : redactor.redact(event)),
        },
      };
    },
    'a log line that quotes': (line) => {
      const { redactor } = line;
      return {
        ...line,
        redactor: {
          ...{ unknown: 0, unknownNames: new Map() },
          redact: (event) => {
            process.stderr.write(path(event));
            return redactor.redact(event);
          },
        },
      };
    },
  };
  for (const [what, spoil] of Object.entries(spoilt)) {
    test(what, { timeout: 60_000 }, async () => {
      const template = await prepare(file);
      const pairs = histories(ruleset, 1, 1);
      const [one, two] = [
        await trace({ template, file, rules: 'none', spoil }, feedOf(pairs, 'one')),
        await trace({ template, file, rules: 'none', spoil }, feedOf(pairs, 'two')),
      ];
      expect(two).not.toEqual(one);
    });
  }
});
