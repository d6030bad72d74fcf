/** What operators type about stories and tokens, as real processes beside the files of a collector. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { tellAlone } from '../../collector/detectors/stories.ts';
import { State } from '../../collector/state.ts';
import { hashOf } from '../../collector/tokens.ts';

const PROGRAM = fileURLToPath(new URL('../../hushwatch.ts', import.meta.url));
const home = mkdtempSync(join(tmpdir(), 'hushwatch-commands-'));
const { alert, story } = tellAlone({
  ...{ id: 'a'.repeat(32), time: 1_790_000_000_000_000, node: 'alpha', detector: 'sigma', rule: 'r', title: 'A job' },
  ...{ severity: 'high', reason: 'A job was changed.', silencedBy: 'a filter', attack: ['T1053.003'] },
  ...{ events: [], entity: undefined, loss: 0 },
});

beforeAll(() => {
  using state = State.open(join(home, 'state.sqlite'));
  state.commitStep({ alerts: [alert], stories: [story] });
});
afterAll(() => rmSync(home, { recursive: true }));

function run(...args: readonly string[]): {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
} {
  const { status, stdout, stderr } = spawnSync(process.execPath, [PROGRAM, ...args, '--home', home], {
    encoding: 'utf8',
    env: { ...process.env, SUDO_USER: 'alex' },
  });
  return { status, out: stdout, err: stderr };
}

test('a verdict is given, recorded with who and why, and shown', { timeout: 60_000 }, () => {
  expect(run('stories', '--status', 'open').out).toContain(`story ${story.id}, open`);
  const given = run('alerts', 'verdict', alert.id, 'false', '--reason', 'the backup, every night');
  expect([given.status, given.out]).toEqual([0, `${story.id} A job: false, by alex (command line)\n`]);
  expect(run('stories', '--status', 'open').out).toBe('');
  const shown = run('stories', 'show', story.id).out;
  expect(shown).toContain('said false by alex (command line): the backup, every night');
  expect(shown).toContain(`alert ${alert.id}`);
  expect(run('stories', '--group', 'status', '--json').out).toContain('{"key":"false","stories":1,"severity":"high"');
  expect(run('stories', 'record').out).toMatch(
    new RegExp(`^\\S+Z alex \\(command line\\) stories verdict ${story.id} false: the backup, every night\\n$`),
  );
  using state = State.beside(home);
  expect(state.acts(10)).toMatchObject([
    { who: 'alex (command line)', act: `stories verdict ${story.id} false`, reason: 'the backup, every night' },
  ]);
});

test('one verdict for all that a filter lets through, if they are as many as was said', { timeout: 60_000 }, () => {
  const all = [
    'stories',
    'verdict',
    'all',
    'true',
    '--status',
    'false',
    '--reason',
    'it was real after all',
    '--expect',
  ];
  expect(run(...all, '2').err).toContain('there are 1, not 2');
  expect(run(...all, '1').out).toBe('1 stories: true, by alex (command line)\n');
  expect(run('stories', 'show', story.id).out).toContain(`story ${story.id}, true`);
});

const REFUSED: readonly (readonly [string, readonly string[], number, string])[] = [
  ['without a reason', ['stories', 'verdict', story.id, 'true'], 2, '--reason says why'],
  ['a verdict that is none', ['stories', 'verdict', story.id, 'maybe', '--reason', 'x'], 2, 'verdict is one of'],
  ['a story that is none', ['stories', 'verdict', 'ffff', 'true', '--reason', 'x'], 1, 'there is no story of ffff'],
  ['a role that is none', ['collector', 'token', 'create', '--role', 'root', '--name', 'a'], 2, '--role is one of'],
  ['a token of nobody', ['collector', 'token', 'create', '--role', 'viewer'], 2, '--name says whose'],
  ['a token that is none', ['collector', 'token', 'revoke', '00000000'], 3, 'there is no token 00000000'],
];
for (const [name, args, status, said] of REFUSED) {
  test(`refused: ${name}`, { timeout: 60_000 }, () => {
    const refused = run(...args);
    expect([refused.status, refused.out]).toEqual([status, '']);
    expect(refused.err).toContain(said);
  });
}

test('a token is shown once, listed without it, and revoked', { timeout: 60_000 }, () => {
  const made = run(
    'collector',
    'token',
    'create',
    '--role',
    'viewer',
    '--role',
    'auditor',
    '--name',
    'wall',
    '--expires',
    '30d',
  );
  const token = made.out.trim();
  const id = token.split('_')[1] ?? '';
  expect(token).toMatch(/^hushwatch_[0-9a-f]{8}_[\w-]{43}$/);
  expect(readFileSync(join(home, 'tokens.yaml'), 'utf8')).toContain(hashOf(token));
  expect(run('collector', 'token', 'list').out).toMatch(/wall \(viewer, auditor\), made \S+, ends \S+\n$/);
  expect(run('collector', 'token', 'revoke', id, '--reason', 'lost').out).toContain('worth nothing from now on');
  expect(run('collector', 'token', 'list', '--json').out).toContain('"good":false');
  using state = State.beside(home);
  expect(state.acts(2).map(({ act }) => act)).toEqual([
    `token revoke ${id} (wall)`,
    `token create ${id} (wall: viewer, auditor)`,
  ]);
});
