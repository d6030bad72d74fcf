/** The house rules that tools check: types, lint, format. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const cwd = fileURLToPath(new URL('..', import.meta.url));

const CHECKS: readonly (readonly [string, readonly string[]])[] = [
  ['tsc', []],
  ['oxlint', ['--deny-warnings']],
  ['prettier', ['--check', '.', '--log-level', 'warn']],
];

for (const [tool, args] of CHECKS) {
  test(`${tool} has nothing to say`, { timeout: 180_000 }, () => {
    const run = spawnSync(tool, args, { cwd, encoding: 'utf8' });
    expect(run.error).toBeUndefined();
    expect(`${run.stdout}${run.stderr}`.slice(-4000) + `exit ${String(run.status)}`).toMatch(/exit 0$/);
  });
}
