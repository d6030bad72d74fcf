/** The node's roots: made once, readable by nobody else, turned and not turned back, exchanged while the agent runs. */
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { formatVerifierKey } from '#protocol/note.ts';
import { ConfigError } from '../../config/yaml.ts';
import { Keyring } from '../../agent/keyring.ts';
import { neededFrom, SharedKeys } from '../../agent/shared-keys.ts';
import { compileRuleset, type Redactor } from '../../redaction-rules/compile.ts';
import { HOUR_US, turnTo, type TurningRoot } from '../../redaction-rules/keys.ts';
import { generateSealKey, sealKeys } from '../../redaction-rules/sealed-keys.ts';
import { fixedKey } from '../protocol/sample.ts';
import { smallRuleset } from '../redaction-rules/small-ruleset.ts';

const DAY = 24 * HOUR_US;
const NOW = 20_000 * DAY;
const authority = fixedKey('authority', 41);
let home: string;
let file: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'hushwatch-keyring-'));
  file = join(home, 'pseudonym.key');
});
afterEach(() => rmSync(home, { recursive: true }));

const rules = (scope: string): ReturnType<typeof smallRuleset> =>
  smallRuleset({
    attributes: { 'process.user.name': { do: 'pseudonym', scope } },
    top: { epoch: { length: '1d', why: 'Because.' } },
  });
const nameAt = (redactor: Redactor, time: number): string =>
  redactor.redact({ name: 'process.exit', time, attributes: { 'process.user.name': 'alex' } })?.line.slice(-30) ?? '';

test('made once, for the agent alone; opened again it is the same', () => {
  const made = Keyring.open(file, NOW);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(Keyring.open(file, NOW + DAY).node).toEqual(made.node);
});

test('refused when others may read it, or when it is something else', () => {
  Keyring.open(file, NOW);
  chmodSync(file, 0o640);
  expect(() => Keyring.open(file, NOW)).toThrow(ConfigError);
  writeFileSync(file, 'nonsense');
  chmodSync(file, 0o600);
  expect(() => Keyring.open(file, NOW)).toThrow('not the roots of pseudonyms; restore it');
});

test('a root from before roots could forget goes on lasting, and what turns does not follow from it', () => {
  writeFileSync(file, Buffer.alloc(32, 7), { mode: 0o600 });
  const { node } = Keyring.open(file, NOW);
  expect(node.lasting).toEqual(Buffer.alloc(32, 7));
  expect(node.hour).toBe(NOW / HOUR_US);
  expect(turnTo({ lasting: node.lasting, hour: 0, chain: node.lasting }, 100).chain).not.toEqual(node.chain);
  expect(Keyring.open(file, NOW).node).toEqual(node);
});

test('forgetting changes no pseudonym of the epoch in force, and leaves nothing of those before on the disk', () => {
  const ring = Keyring.open(file, NOW);
  const redactor = compileRuleset(rules('node'), ring);
  const [yesterday, today] = [nameAt(redactor, NOW + DAY / 2), nameAt(redactor, NOW + 1.5 * DAY)];
  const before = readFileSync(file, 'latin1');
  ring.forgetBefore(neededFrom(NOW + 1.5 * DAY, DAY));
  expect(readFileSync(file, 'latin1')).not.toBe(before);
  const after = compileRuleset(rules('node'), Keyring.open(file, NOW + 2 * DAY));
  expect(nameAt(after, NOW + 1.5 * DAY)).toBe(today);
  expect(nameAt(after, NOW + DAY / 2)).not.toBe(yesterday);
  expect(nameAt(redactor, NOW + 1.5 * DAY)).toBe(today);
});

test('what is late by less than ten minutes still gets the pseudonyms of its epoch', () => {
  expect(neededFrom(NOW + 9 * 60_000_000, DAY)).toBe((NOW - DAY) / HOUR_US);
  expect(neededFrom(NOW + 11 * 60_000_000, DAY)).toBe(NOW / HOUR_US);
});

test('sealed roots are taken when they come and when they change, without a restart; two nodes agree', async () => {
  const shared = (lasting: number): TurningRoot => ({
    lasting: Buffer.alloc(32, lasting),
    hour: NOW / HOUR_US - 10,
    chain: Buffer.alloc(32, lasting + 1),
  });
  const nodes = await Promise.all(
    ['node-1', 'node-2'].map(async (node) => {
      const key = await generateSealKey();
      const at = (name: string): string => join(home, `${node}.${name}`);
      writeFileSync(at('seal'), Buffer.from(key.secret).toString('base64'), { mode: 0o600 });
      const place = { node, cohort: 'subnet-1', authority: formatVerifierKey(authority.verifier) };
      const ring = Keyring.open(at('key'), NOW);
      const source = new SharedKeys({ ...place, sealed_keys: at('sealed'), seal_key: at('seal') });
      let sent = 0;
      const send = async (root: TurningRoot): Promise<boolean> => {
        const to = { node, cohort: 'subnet-1', publicKey: key.public };
        writeFileSync(at('sealed'), await sealKeys(to, { cohort: root }, authority));
        utimesSync(at('sealed'), ++sent, sent);
        return await source.take(ring);
      };
      return { ring, source, send, at };
    }),
  );
  for (const { ring, send, source } of nodes) {
    expect(await source.take(ring)).toBe(false);
    expect(() => compileRuleset(rules('cohort'), ring)).toThrow('no cohort key');
    expect(await send(shared(1))).toBe(true);
    expect(await source.take(ring)).toBe(false);
  }
  const redactors = nodes.map(({ ring }) => compileRuleset(rules('cohort'), ring));
  const names = (): Set<string> => new Set(redactors.map((redactor) => nameAt(redactor, NOW + DAY)));
  const [first] = names();
  expect(names().size).toBe(1);
  for (const { send } of nodes) await send(shared(5));
  expect(names().size).toBe(1);
  expect([...names()][0]).not.toBe(first);
  expect(Keyring.open(nodes[0]?.at('key') ?? '', NOW).cohort?.lasting).toEqual(Buffer.alloc(32, 5));
});

test('what cannot be opened is told once, and the former roots stay', async () => {
  const ring = Keyring.open(file, NOW);
  writeFileSync(join(home, 'sealed'), 'nonsense');
  writeFileSync(join(home, 'seal'), Buffer.alloc(32, 1).toString('base64'), { mode: 0o600 });
  const place = { node: 'node-1', cohort: 'c', authority: formatVerifierKey(authority.verifier) };
  const source = new SharedKeys({ ...place, sealed_keys: join(home, 'sealed'), seal_key: join(home, 'seal') });
  await expect(source.take(ring)).rejects.toThrow(`${join(home, 'sealed')}: no blank line`);
  expect(await source.take(ring)).toBe(false);
  expect(ring.cohort).toBeUndefined();
});

test('to look at roots writes nothing, whatever is done with them', () => {
  const look = Keyring.look(file, NOW);
  look.forgetBefore(look.node.hour + 5);
  expect(existsSync(file)).toBe(false);
  const kept = Keyring.open(file, NOW);
  const before = readFileSync(file);
  const again = Keyring.look(file, NOW);
  expect(again.node).toEqual(kept.node);
  again.forgetBefore(again.node.hour + 5);
  expect(readFileSync(file).equals(before)).toBe(true);
});
