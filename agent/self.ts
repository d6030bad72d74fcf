/**
 * What Hushwatch says of itself: a life that ended without a goodbye, and rules that are others than those of the last
 * statement.
 *
 * The file `running` in the spool directory holds the boot in which the agent began, and goes when the last batch of an
 * orderly end is on disk. Where a start finds it, the life before was cut short, and it tells whether the machine went
 * with it. Who removes it hides a crash, not the silence: that shows in the time between two statements.
 */
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Statement } from '#protocol/statement.ts';
import type { RawEvent } from './event.ts';
import type { Herald } from './spool.ts';

/** How the life before ended: as asked, killed, or with the machine. */
export type End = 'orderly' | 'process' | 'machine';

export function beginLife(directory: string, boot: string): End {
  const file = join(directory, 'running');
  const before = existsSync(file) ? readFileSync(file, 'utf8').trim() : undefined;
  if (before === boot) return 'process';
  // Whole or not at all: a full disk must not turn a crash into another.
  writeFileSync(`${file}.new`, `${boot}\n`, { mode: 0o640, flush: true });
  renameSync(`${file}.new`, file);
  return before === undefined ? 'orderly' : 'machine';
}

export function endLife(directory: string): void {
  rmSync(join(directory, 'running'), { force: true });
}

export function crashed(component: 'agent' | 'sensor', end: End): readonly RawEvent[] {
  if (end === 'orderly') return [];
  return [
    {
      name: 'hushwatch.crash',
      time: Date.now() * 1_000,
      attributes: { 'hushwatch.component': component, 'hushwatch.crash.scope': end },
    },
  ];
}

/** One for each kind of rules that is another than when the last statement was signed. */
export function rulesChanged(
  last: Pick<Statement, 'ruleset' | 'rulepack'> | undefined,
  herald: Herald,
): readonly RawEvent[] {
  if (last === undefined) return [];
  return (['ruleset', 'rulepack'] as const)
    .filter((kind) => last[kind] !== herald[kind])
    .map((kind) => ({
      name: 'hushwatch.ruleset.change',
      time: Date.now() * 1_000,
      attributes: {
        'hushwatch.rules.kind': kind,
        'hushwatch.rules.digest': herald[kind],
        'hushwatch.rules.previous': last[kind],
      },
    }));
}

/** The lives of sensors, as one life of the agent hears them. */
export class SensorLives {
  #isHeard = false;

  /** A sensor introduced itself. If it is another, the one before it, of whom no goodbye was heard, was cut short. */
  met(isNew: boolean): readonly RawEvent[] {
    const told = isNew && this.#isHeard ? crashed('sensor', 'process') : [];
    this.#isHeard = true;
    return told;
  }

  /** Its last counters came. */
  left(): void {
    this.#isHeard = false;
  }
}
