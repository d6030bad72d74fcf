/**
 * `npm run atomic`: the tests of Atomic Red Team that are listed in tests.ts, for real, in a container under the whole
 * product; then the table of docs/attack-coverage.md. Exit 1 when a miss has no explanation.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Container } from '../container.ts';
import { Group } from '../origins.ts';
import { CHECKOUT, isRoot, Stack } from '../stack.ts';
import { attack, hitsOf, readTests, type Attack, type Hits } from './run.ts';
import { MISSES, TESTS } from './tests.ts';

const PORT = 18_464;
const PAGE = join(CHECKOUT, 'docs/attack-coverage.md');
const SECTION = /(?<=<!-- atomic -->\n)[^]*?(?=<!-- \/atomic -->)/;

async function main(): Promise<number> {
  if (!isRoot) throw new Error('npm run atomic needs root: it boots a container under the real sensor');
  const journal = mkdtempSync(join(tmpdir(), 'hushwatch-atomic-'));
  await using stack = await new Stack(PORT).start();
  const { attacks, hits } = await run(stack, journal);
  rmSync(journal, { recursive: true, force: true });
  const unexplained = attacks
    .map(({ name }) => name)
    .filter((name) => alertsOf(hits, name).length === 0 && WHY.get(name) === undefined);
  writeFileSync(
    PAGE,
    readFileSync(PAGE, 'utf8').replace(SECTION, () => table(attacks, hits)),
  );
  for (const name of unexplained) process.stderr.write(`missed, and tests.ts does not say why: ${name}\n`);
  return unexplained.length === 0 ? 0 : 1;
}

async function run(stack: Stack, journal: string): Promise<{ attacks: readonly Attack[]; hits: Hits }> {
  using group = new Group('hushwatch-atomic-machine').enter();
  await using container = await Container.start(journal, 'ordinary/root.sh');
  group.leave();
  const machine = { name: 'machine', pid: container.pid, at: container.startedAt };
  const attacks = await attack(container, readTests(TESTS));
  await stack.settled();
  return { attacks, hits: hitsOf(join(stack.home, 'collector'), attacks, machine) };
}

const WHY = new Map(MISSES.flatMap(({ why, tests }) => tests.map((name) => [name, why])));
const LOUD = ['medium', 'high', 'critical'];

const alertsOf = (hits: Hits, name: string): readonly string[] =>
  [...(hits.get(name) ?? [])].filter(([, level]) => LOUD.includes(level)).map(([rule]) => rule);

/** Rows of the page. */
function table(attacks: readonly Attack[], hits: Hits): string {
  const alerted = attacks.filter(({ name }) => alertsOf(hits, name).length > 0);
  const rows = attacks.map(({ name }) => {
    const [technique = '', ...words] = name.split(' ');
    const quiet = [...(hits.get(name) ?? [])].filter(([, level]) => !LOUD.includes(level)).map(([rule]) => `(${rule})`);
    const said = [...alertsOf(hits, name), ...quiet].join(', ');
    const why = alertsOf(hits, name).length > 0 ? '' : (WHY.get(name) ?? '');
    return `| ${technique} | ${words.join(' ').replaceAll('|', '\\|')} | ${said} | ${why} |`;
  });
  return `${attacks.length} tests, ${alerted.length} alert.\n\n| technique | test | rules | why nothing alerts |\n|---|---|---|---|\n${rows.join('\n')}\n`;
}

process.exitCode = await main();
