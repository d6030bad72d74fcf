/** Each shipped ruleset in an agent of its role: it opens, it refuses other roles, and only a guest asks for shared roots. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { formatVerifierKey } from '#protocol/note.ts';
import { NotApproved } from '../../agent/approval.ts';
import { isProblemOfRules, openRules, type AgentConfig } from '../../agent/agent.ts';
import { parseConfig } from '../../config/schema.ts';
import { KEYS } from '../../agent/config.ts';
import { releasedOf } from '../../redaction-rules/examples.ts';
import { generateSealKey, sealKeys } from '../../redaction-rules/sealed-keys.ts';
import { fixedKey, logKey } from '../protocol/sample.ts';
import { SHIPPED } from '../redaction-rules/shipped.ts';

const PACK = fileURLToPath(new URL('../../collector/detectors/rules', import.meta.url));
const ROLES = ['generic', 'guest', 'host'];
const authority = fixedKey('authority', 41);
let home = '';
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'hushwatch-roles-'));
});
afterEach(() => rmSync(home, { recursive: true }));

function configOf(node: string, role: string, ruleset: string): AgentConfig {
  const at = (name: string): string => join(home, `${node}.${name}`);
  const lines = [
    ...[`node: ${node}`, `role: ${role}`, 'cohort: subnet-1', `ruleset: ${ruleset}`, `rule_pack: ${PACK}`],
    ...[`pseudonym_key: ${at('key')}`, `sealed_keys: ${at('sealed')}`, `seal_key: ${at('seal')}`],
    ...[`authority: ${formatVerifierKey(authority.verifier)}`, `log_key: ${formatVerifierKey(logKey.verifier)}`],
  ];
  return parseConfig(`${lines.join('\n')}\n`, 'agent.yaml', KEYS);
}

async function sealFor({ node, cohort, sealed_keys, seal_key }: AgentConfig): Promise<void> {
  const key = await generateSealKey();
  const root = {
    lasting: Buffer.alloc(32, 5),
    hour: Math.floor(Date.now() / 3_600_000) - 200,
    chain: Buffer.alloc(32, 6),
  };
  writeFileSync(seal_key, Buffer.from(key.secret).toString('base64'), { mode: 0o600 });
  writeFileSync(sealed_keys, await sealKeys({ node, cohort, publicKey: key.public }, { cohort: root }, authority));
}

const released = ({ redactor }: Awaited<ReturnType<typeof openRules>>, event: string, attributes: object): object =>
  releasedOf(redactor, event, { ...attributes }, Date.now() * 1_000);

for (const { file, ruleset } of SHIPPED) {
  describe(ruleset.name, () => {
    test('an agent of its role uses it', async () => {
      const config = configOf('node-1', ruleset.role, file);
      if (ruleset.role === 'guest') await sealFor(config);
      const rules = await openRules(config);
      expect(rules.ruleset.digest).toBe(ruleset.digest);
      const attributes = { 'process.executable.path': '/usr/bin/curl', 'process.user.name': 'robin' };
      expect(released(rules, 'process.exec', attributes)).toEqual({
        'process.executable.path': '/usr/bin/curl',
        'process.user.name': expect.stringMatching(/^p-[a-z2-7]{16}$/),
      });
    });

    for (const role of ROLES.filter((other) => other !== ruleset.role)) {
      test(`an agent of role ${role} refuses it`, async () => {
        await expect(openRules(configOf('node-1', role, file))).rejects.toThrow(NotApproved);
      });
    }
  });
}

const fileOf = (role: string): string => SHIPPED.find(({ ruleset }) => ruleset.role === role)?.file ?? '';

test('a guest to which the authority sealed nothing releases nothing, and says what to do', async () => {
  const error: unknown = await openRules(configOf('node-1', 'guest', fileOf('guest'))).catch(
    (thrown: unknown) => thrown,
  );
  expect(error).toMatchObject({ message: expect.stringContaining('ask the privacy authority for sealed keys') });
  expect(error instanceof Error && isProblemOfRules(error)).toBe(true);
});

/** The event, its attributes, and which of those that became pseudonyms two guests of a subnet have in common. */
const COMPARED: readonly (readonly [string, Readonly<Record<string, unknown>>, readonly string[]])[] = [
  [
    'process.exec',
    {
      'process.entity.id': '4711-1',
      'process.executable.path': '/tmp/robin',
      'process.parent.executable.path': '/home/robin/x',
      'process.script.path': '/tmp/robin.sh',
      'process.ancestors': ['/tmp/robin'],
      'process.user.name': 'robin',
      'process.user.id': 1005,
      'process.working_directory': '/tmp/robin',
    },
    ['process.executable.path', 'process.parent.executable.path', 'process.ancestors', 'process.script.path'],
  ],
  [
    'file.inspect',
    { 'file.path': '/tmp/robin', 'file.hash.sha256': 'ab'.repeat(32), 'file.script.hash.sha256': 'cd'.repeat(32) },
    ['file.hash.sha256', 'file.script.hash.sha256'],
  ],
  ['network.connect', { 'network.peer.address': '203.0.113.7', 'network.local.address': '203.0.113.8' }, []],
  [
    'session.start',
    { 'user.name': 'robin', 'source.address': '203.0.113.7', 'session.key.fingerprint': 'SHA256:AAAAExample' },
    [],
  ],
];

test('two guests of a subnet can be compared by their programs, and by nothing else', async () => {
  const configs = ['node-1', 'node-2'].map((node) => configOf(node, 'guest', fileOf('guest')));
  await Promise.all(configs.map(sealFor));
  const [one, two] = await Promise.all(configs.map((config) => openRules(config)));
  if (one === undefined || two === undefined) throw new Error('two nodes');
  for (const [event, attributes, shared] of COMPARED) {
    const [first, second] = [released(one, event, attributes), released(two, event, attributes)];
    expect(Object.keys(first).toSorted()).toEqual(Object.keys(attributes).toSorted());
    const others = new Map(Object.entries(second));
    const same = Object.entries(first).filter(
      ([name, value]) => JSON.stringify(value) === JSON.stringify(others.get(name)),
    );
    expect(same.map(([name]) => name).toSorted()).toEqual(shared.toSorted());
  }
});
