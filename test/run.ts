/**
 * `npm test`: everything that can be tested here, then one plain line: `N passed, N failed`.
 *
 * The numbers are the runner's own report; a run that executed nothing has failed.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

interface Report {
  readonly success: boolean;
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numFailedTestSuites: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
}

const directory = mkdtempSync(join(tmpdir(), 'hushwatch-test-'));
const file = join(directory, 'report.json');
const run = spawnSync(
  'vitest',
  ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${file}`, ...process.argv.slice(2)],
  { stdio: ['ignore', 'inherit', 'inherit'] },
);

let report: Report | undefined;
try {
  const parsed: Report = JSON.parse(readFileSync(file, 'utf8'));
  report = parsed;
} catch (error) {
  process.stderr.write(`test: the runner left no report (${String(error)})\n`);
}
rmSync(directory, { recursive: true });

const passed = report?.numPassedTests ?? 0;
// A file that failed to load counts as a failure even though no test of it ran.
const failed = Math.max(report?.numFailedTests ?? 0, report?.success === true ? 0 : 1);
const skipped = (report?.numPendingTests ?? 0) + (report?.numTodoTests ?? 0);
process.stdout.write(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`);
process.exitCode = run.status === 0 && failed === 0 && passed > 0 ? 0 : 1;
