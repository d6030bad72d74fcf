/** What `status` has to say, of whatever part: on one screen for people, and as an exit code for monitoring. */
import { statSync } from 'node:fs';
import type { ReloadReport } from './reload.ts';
import type { Ways } from './ways.ts';

export interface Verdict {
  readonly state: 'well' | 'look' | 'act';
  readonly because: string;
}

/** As monitoring plugins have it: 0 well, 1 look at it, 2 act; 3 is for what cannot be told. */
const STATES = ['well', 'look', 'act'] as const;

export const worstFirst = (verdicts: readonly Verdict[]): readonly Verdict[] =>
  verdicts.toSorted((a, b) => STATES.indexOf(b.state) - STATES.indexOf(a.state));

export const exitOf = (verdicts: readonly Verdict[]): number =>
  Math.max(...verdicts.map(({ state }) => STATES.indexOf(state)));

export function screen(rows: readonly (readonly [string, string])[], verdicts: readonly Verdict[]): string {
  const lines = [...rows, ...verdicts.map(({ state, because }) => [state, because] as const)];
  return lines.map(([name, words]) => `${name.padEnd(10)}${printable(words)}\n`).join('');
}

/** Much of it was written by processes that are believed less than who asks: it draws nothing on a terminal. */
const printable = (words: string): string => words.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '?');

/** A configuration that is not in force as it stands in the file. */
export function configurationVerdicts(
  process: string,
  report: ReloadReport | undefined,
  { file, reload, restart }: Pick<Ways, 'file' | 'reload' | 'restart'>,
): readonly Verdict[] {
  if (report === undefined) return [];
  const say = (because: string): Verdict => ({ state: 'look', because: `${process}: ${because}` });
  const { problem, refused, waiting, since } = report;
  if (problem !== undefined) {
    const first = problem.split('\n')[0] ?? '';
    return [
      say(
        `a new configuration was refused (${refused} so far), the former one is in force: ${first}: mend it, then ${reload}`,
      ),
    ];
  }
  const changed = statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (changed > since) return [say(`${file} was changed after it was read: ${reload}`)];
  return waiting.length === 0
    ? []
    : [say(`${waiting.join(', ')} in ${file} take effect at the next start: ${restart}`)];
}
