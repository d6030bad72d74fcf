/** `hushwatch keys` as an authority and a node use it: two machines, one open file between them. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { parseVerifierKey } from '#protocol/note.ts';
import { openKeys, type SharedRoots } from '../../redaction-rules/sealed-keys.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const home = mkdtempSync(join(tmpdir(), 'hushwatch-authority-'));
afterAll(() => rmSync(home, { recursive: true }));
const at = (name: string): string => join(home, name);
const keys = (...args: readonly string[]): { status: number | null; stdout: string; stderr: string } =>
  spawnSync(process.execPath, ['hushwatch.ts', 'keys', ...args], { cwd: root, encoding: 'utf8' });

test('from an authority to a node, and a new root after that', async () => {
  const authority = keys('init', 'authority', '--out', at('authority')).stdout.trim();
  const publicKey = keys('node', '--out', at('seal.key')).stdout.trim();
  for (const secret of ['authority/authority.key', 'seal.key']) expect(statSync(at(secret)).mode & 0o077).toBe(0);
  const seal = async (): Promise<SharedRoots> => {
    const to = ['--cohort', 'subnet-1', '--public', publicKey, '--authority', at('authority')];
    expect(keys('seal', 'node-1', ...to, '--out', at('node-1.keys'), '--fleet')).toMatchObject({
      status: 0,
      stderr: '',
    });
    const secret = Buffer.from(readFileSync(at('seal.key'), 'latin1'), 'base64');
    const by = { node: 'node-1', cohort: 'subnet-1', secret, authority: parseVerifierKey(authority) };
    return await openKeys(readFileSync(at('node-1.keys')), by);
  };
  const first = await seal();
  expect(await seal()).toEqual(first);
  expect(keys('rotate', 'subnet-1', '--authority', at('authority')).status).toBe(0);
  const second = await seal();
  expect(second.cohort).not.toEqual(first.cohort);
  expect(second.fleet).toEqual(first.fleet);
});

test('wrong usage says how', () => {
  expect(keys()).toMatchObject({ status: 2, stderr: expect.stringContaining('say what to do') });
  expect(keys('seal', 'node-1')).toMatchObject({ status: 2, stderr: expect.stringContaining('seal wants') });
  expect(keys('rotate', '../x', '--authority', home)).toMatchObject({ status: 2 });
});
