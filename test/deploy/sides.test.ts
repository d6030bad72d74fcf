/** `hushwatch status` and `hushwatch doctor`, as one asks: what is named, what is here, what is neither. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { writeHome } from '../../deploy/home.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
let home = '';
beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'hushwatch-sides-'));
  await writeHome({ root: join(home, 'started'), checkout: ROOT, port: 18_990, source: 'proc' });
});
afterAll(() => rmSync(home, { recursive: true }));

function hushwatch(
  under: string,
  ...args: readonly string[]
): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [join(ROOT, 'hushwatch.ts'), ...args], {
    encoding: 'utf8',
    env: { ...process.env, HUSHWATCH_HOME: under },
  });
}

test('both sides of `npm start` are told of, wherever they are looked at from; what is wrong decides', () => {
  const { status, stdout } = hushwatch(join(home, 'started'), 'status', '--json');
  expect(status).toBe(2);
  const parts = stdout
    .trim()
    .split('\n')
    .map((line): { part: string; verdicts: unknown } => JSON.parse(line));
  expect(parts).toMatchObject([
    { part: 'node', verdicts: [{ state: 'act', because: 'the agent is not running: npm start' }] },
    { part: 'collector', verdicts: expect.arrayContaining([expect.objectContaining({ state: 'act' })]) },
  ]);
});

test('where nothing is, it cannot be told', () => {
  expect(hushwatch(join(home, 'none'), 'status')).toMatchObject({
    status: 3,
    stderr: expect.stringMatching(/nothing of Hushwatch/),
  });
  expect(hushwatch(home, 'status', '--config', join(home, 'none.yaml'))).toMatchObject({
    status: 3,
    stderr: expect.stringMatching(/none\.yaml: no such file/),
  });
});

test.each([
  ['status', 3],
  ['doctor', 2],
] as const)('what %s does not know it answers with how it is used', (command, exit) => {
  for (const more of [['more'], ['--colour'], ['--config']])
    expect(hushwatch(home, command, ...more)).toMatchObject({
      status: exit,
      stderr: expect.stringMatching(/^usage: /),
    });
});

test('the checks of all three read what `npm start` wrote', () => {
  const under = join(home, 'started');
  for (const part of ['shipper', 'collector']) expect(hushwatch(under, part, 'check')).toMatchObject({ status: 0 });
  expect(hushwatch(under, 'agent', 'check')).toMatchObject({
    status: 3,
    stderr: expect.stringMatching(/\.tlog-proof: no such file/),
  });
});
