/** The packs of a collector together: the newest of a rule counts, and no pack is read with another's fields. */
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadPack, STARTER_PACK } from '../../collector/detectors/pack.ts';
import { loadRulepacks } from '../../collector/rulepacks.ts';
import { ConfigError } from '../../config/yaml.ts';

const RULE = (id: string, title: string): string => `title: ${title}
id: ${id}
status: test
description: A program was started.
level: low
logsource: { product: linux, category: process_creation }
detection: { selection: { 'Image|startswith': /dev/shm/ }, condition: selection }
`;
const ONE = '00000000-0000-4000-8000-000000000001';

let packs: string;
beforeEach(() => (packs = mkdtempSync(join(tmpdir(), 'hushwatch-packs-'))));
afterEach(() => rmSync(packs, { recursive: true }));

function write(name: string, text: string): void {
  mkdirSync(dirname(join(packs, name)), { recursive: true });
  writeFileSync(join(packs, name), text);
}

const titleOf = (id: string): string | undefined =>
  loadRulepacks(packs).rules.rules.find((rule) => rule.id === id)?.title;

test('of one rule in several packs, the last by name of its directory counts', () => {
  write('a/one.yml', RULE(ONE, 'Of a'));
  write('b/one.yml', RULE(ONE, 'Of b'));
  expect(titleOf(ONE)).toBe('Of b');
});

test('what is kept under its digest for nodes that ran it does not bring back what a rule said then', () => {
  const [rule] = loadPack(STARTER_PACK).rules;
  const id = rule?.id ?? '';
  write('then/one.yml', RULE(id, 'What it said then'));
  expect(titleOf(id)).toBe('What it said then');
  const { digest } = loadPack(join(packs, 'then'));
  cpSync(join(packs, 'then'), join(packs, digest.slice(0, 16)), { recursive: true });
  rmSync(join(packs, 'then'), { recursive: true });
  expect(titleOf(id)).toBe(rule?.title);
});

const field = (from: string): string => `fields: { CloudUser: ${from} }\n`;

test('two packs that read one field from different places are refused, and named', () => {
  write('a/one.yml', RULE(ONE, 'Of a'));
  write('a/mapping/cloud.yaml', field('process.user.name'));
  write('b/two.yml', RULE(ONE.replace(/1$/, '2'), 'Of b'));
  write('b/mapping/cloud.yaml', field('user.name'));
  expect(() => loadRulepacks(packs)).toThrow(/packs-.*b: mapping: fields: CloudUser means something else in .*\/a;/);
  write('b/mapping/cloud.yaml', field('process.user.name'));
  expect(loadRulepacks(packs).rules.mapping.fields.has('CloudUser')).toBe(true);
});

test('two packs that give one placeholder other values are refused', () => {
  for (const [name, id, value] of [
    ['a', '1', 'one'],
    ['b', '2', 'two'],
  ] as const) {
    write(`${name}/rule.yml`, RULE(ONE.replace(/1$/, id), `Of ${name}`));
    write(`${name}/placeholders/names.txt`, `${value}\n`);
  }
  expect(() => loadRulepacks(packs)).toThrow('placeholders: names means something else');
});

test('a mistake is told with the pack that it is in', () => {
  write('a/one.yml', RULE(ONE, 'Of a').replace('condition: selection', 'condition: nothing'));
  expect(() => loadRulepacks(packs)).toThrow(ConfigError);
  expect(() => loadRulepacks(packs)).toThrow(join(packs, 'a/one.yml:7: '));
});

const FILTER = (rules: string): string => `title: Not the updater
id: ${ONE.replace(/1$/, '9')}
logsource: { product: linux }
filter: { rules: ${rules}, it: { 'Image|endswith': /updater }, condition: not it }
`;

test('a filter of a pack of one’s own narrows the rules of others that it names, and is told of with them', () => {
  const [rule] = loadPack(STARTER_PACK).rules;
  const id = rule?.id ?? '';
  write('own/filter.yml', FILTER(`[${id}]`));
  const { rules, narrowed = [] } = loadRulepacks(packs);
  expect(rules.rules.find((each) => each.id === id)?.condition).toMatchObject({ kind: 'and' });
  expect(narrowed.map((each) => each.id)).toEqual([id]);
  write('own/filter.yml', FILTER(`[${ONE}]`));
  expect(() => loadRulepacks(packs)).toThrow(
    join(packs, `own/filter.yml:4: filter: rules: no rule here has the id or name ${ONE}`),
  );
  write('own/filter.yml', FILTER('any'));
  expect(loadRulepacks(packs).narrowed).toEqual([]);
});
