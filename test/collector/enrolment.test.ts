/** Invitations and entries are files that came from elsewhere: what is wrong is told with its place, and writes nothing. */
import { lstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { formatVerifierKey } from '#protocol/note.ts';
import { loadPack, packFiles, STARTER_PACK } from '../../collector/detectors/pack.ts';
import {
  admit,
  approvedPack,
  approvedRuleset,
  invite,
  keysOfNode,
  parseInvitation,
  renew,
} from '../../collector/enrolment.ts';
import { parseRegistry, type RegisteredNode } from '../../collector/registry.ts';
import { ConfigError } from '../../config/yaml.ts';
import { parseRuleset } from '../../redaction-rules/ruleset.ts';
import { logKey } from '../protocol/sample.ts';
import { SampleNode } from './sample.ts';

const RULES = readFileSync('redaction-rules/rulesets/generic-linux.yaml', 'utf8');
const PIN = `sha256/${'A'.repeat(43)}=`;

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'hushwatch-enrolment-'));
  for (const name of ['rulesets', 'packs', 'approvals']) mkdirSync(join(home, name));
  writeFileSync(join(home, 'log.pub'), `${formatVerifierKey(logKey.verifier)}\n`);
  writeFileSync(join(home, 'reviewers'), `quorum 1\n${formatVerifierKey(logKey.verifier)}\n`);
  writeFileSync(join(home, 'nodes.yaml'), 'nodes: []\n', { mode: 0o640 });
  writeFileSync(join(home, 'rulesets/generic-linux.yaml'), RULES);
});
afterEach(() => rmSync(home, { recursive: true }));

function approve(digest: string): void {
  for (const ending of ['approval', 'tlog-proof'])
    writeFileSync(join(home, 'approvals', `${digest}.${ending}`), ending);
}

function approveBoth(): void {
  approve(parseRuleset(RULES, 'r').digest);
  approve(loadPack(STARTER_PACK).digest);
}

const made = (): string =>
  JSON.stringify(
    invite({
      ...{
        home,
        node: 'node-1',
        role: 'generic',
        cohort: 'none',
        url: 'wss://collector.example.org/v1/ship',
        pin: PIN,
      },
      ...{ ruleset: approvedRuleset(home, 'generic'), pack: approvedPack(home) },
    }),
  );

test('what is invited with is what was approved, whole', () => {
  approveBoth();
  const invitation = parseInvitation(made(), 'i');
  expect(invitation).toMatchObject({ node: 'node-1', role: 'generic', collector_pin: PIN, ruleset: RULES });
  const there = join(home, 'there');
  for (const [name, text] of Object.entries(invitation.pack)) {
    mkdirSync(join(there, name, '..'), { recursive: true });
    writeFileSync(join(there, name), text);
  }
  expect(loadPack(there).digest).toBe(loadPack(STARTER_PACK).digest);
  expect(Object.keys(invitation.approvals)).toHaveLength(4);
  expect(packFiles(STARTER_PACK).length).toBe(Object.keys(invitation.pack).length);
});

test('nothing is invited with that nobody approved', () => {
  expect(made).toThrow(/no ruleset for role generic is approved/);
  approve(parseRuleset(RULES, 'r').digest);
  expect(made).toThrow(/no rule pack is approved/);
});

test('of two that are approved, the operator says which', () => {
  approveBoth();
  const other = RULES.replace(/^version: \d+/m, 'version: 77');
  writeFileSync(join(home, 'rulesets/other.yaml'), other);
  approve(parseRuleset(other, 'o').digest);
  expect(made).toThrow(/more than one ruleset for role generic.*--ruleset FILE/);
});

test.each<readonly [string, (invitation: Record<string, unknown>) => void, RegExp]>([
  ['another version', (i) => (i['hushwatch'] = 'invitation/9'), /no invitation of this version/],
  ['a name with a slash', (i) => (i['node'] = '../node'), /node is missing or wrong/],
  ['no TLS', (i) => (i['collector'] = 'ws://collector.example.org'), /collector is missing or wrong/],
  ['a role nobody knows', (i) => (i['role'] = 'root'), /role must be one of/],
  ['a file outside', (i) => (i['pack'] = { '../x.yml': '' }), /pack holds what is no file name/],
  ['a file that is hidden', (i) => (i['pack'] = { 'a/.x': '' }), /pack holds what is no file name/],
  ['an absolute file', (i) => (i['approvals'] = { '/etc/passwd': '' }), /approvals holds what is no file name/],
  ['a file that is no text', (i) => (i['pack'] = { 'x.yml': 1 }), /pack holds what is no file name/],
  ['no reviewers', (i) => (i['reviewers'] = 'quorum 3\n'), /reviewers/],
  ['a ruleset that is none', (i) => (i['ruleset'] = 'name: x\n'), /./],
])('refused: %s', (_, spoil, why) => {
  approveBoth();
  const invitation: Record<string, unknown> = JSON.parse(made());
  spoil(invitation);
  expect(() => parseInvitation(JSON.stringify(invitation), 'node-1.invitation')).toThrow(why);
});

test('any text is an invitation or a problem that is told', () => {
  approveBoth();
  const good = made();
  const texts = fc.oneof(
    fc.string(),
    fc.json(),
    fc.tuple(fc.nat(700), fc.string({ maxLength: 4 })).map(([at, put]) => good.slice(0, at) + put + good.slice(at + 1)),
  );
  fc.assert(
    fc.property(texts, (text) => {
      try {
        parseInvitation(text, 'i');
      } catch (error) {
        expect(error).toBeInstanceOf(ConfigError);
      }
    }),
    { numRuns: 60 },
  );
});

test('a link that the collector put there is not followed', () => {
  const { name, registered } = new SampleNode('node-1');
  const elsewhere = join(home, 'elsewhere');
  writeFileSync(elsewhere, 'untouched');
  symlinkSync(elsewhere, join(home, 'nodes.yaml.new'));
  const keys = `batch_key: ${formatVerifierKey(registered.batchKey)}\n  transport_key: ${PIN}`;
  admit(home, `- name: ${name}\n  role: generic\n  cohort: none\n  ${keys}\n`, 'e');
  expect(readFileSync(elsewhere, 'utf8')).toBe('untouched');
  expect(lstatSync(join(home, 'nodes.yaml')).isFile()).toBe(true);
});

test('a node is admitted once; the file keeps its owner and never holds half of it', () => {
  const { name, registered } = new SampleNode('node-1');
  const entry = (transport: string): string =>
    `- name: ${name}\n  role: generic\n  cohort: none\n  batch_key: ${formatVerifierKey(registered.batchKey)}\n  transport_key: ${transport}\n`;
  const admitted = admit(home, entry(PIN), 'e');
  expect(keysOfNode(admitted)).toBe(`batch_key: ${formatVerifierKey(registered.batchKey)}\ntransport_key: ${PIN}`);
  const before = readFileSync(join(home, 'nodes.yaml'), 'utf8');
  expect(() => admit(home, entry(PIN), 'e')).toThrow(/stands twice/);
  expect(() => admit(home, entry(PIN) + entry(PIN), 'e')).toThrow(ConfigError);
  expect(() => admit(home, 'nodes: x\n', 'e')).toThrow(ConfigError);
  expect(readFileSync(join(home, 'nodes.yaml'), 'utf8')).toBe(before);
  expect(statSync(join(home, 'nodes.yaml')).uid).toBe(process.getuid?.());
});

test('a node that lost its keys is admitted again; the former ones stay for those who verify', () => {
  const [first, second] = [new SampleNode('node-1'), new SampleNode('node-1')];
  const entry = ({ registered }: SampleNode, transport = PIN, role = 'generic'): string =>
    `- name: node-1\n  role: ${role}\n  cohort: none\n  batch_key: ${formatVerifierKey(registered.batchKey)}\n  transport_key: ${transport}\n`;
  const nodes = join(home, 'nodes.yaml');
  const registered = (): RegisteredNode | undefined => parseRegistry(readFileSync(nodes, 'utf8'), nodes).get('node-1');
  const other = PIN.replace('A', 'B');
  expect(() => renew(home, entry(second), 'e')).toThrow(/admit it without --renew/);
  writeFileSync(nodes, '# ours\nnodes: []\n');
  admit(home, entry(first), 'e');
  expect(() => renew(home, entry(second, PIN, 'host'), 'e')).toThrow(/is another node/);
  expect(renew(home, entry(second, other), 'e').name).toBe('node-1');
  expect(registered()).toMatchObject({
    ...{ batchKey: second.key.verifier, transportKey: other, formerKeys: [first.key.verifier] },
  });
  // The transport key alone: nothing has become former.
  renew(home, entry(second), 'e');
  expect(registered()?.formerKeys).toHaveLength(1);
  renew(home, entry(first), 'e');
  expect(registered()?.formerKeys.map(({ id }) => id)).toEqual([second.key.verifier.id]);
  expect(readFileSync(nodes, 'utf8')).toContain('# ours');
});
