/**
 * What might be put in force: a directory with rules, knobs or suppressions, or the collector's own files as they were at a
 * revision of git. What it does not hold is as it is now.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { readConfig } from '../config.ts';
import { loadPack } from '../detectors/pack.ts';
import { readInForce, type InForce } from '../in-force.ts';
import { loadRulepacks } from '../rulepacks.ts';
import { readSuppressions } from '../suppressions.ts';

/** Told in a line. */
export class NoCandidate extends Error {}

export const inForceIn = (home: string, nowUs: number): InForce => readInForce(join(home, 'collector.yaml'), nowUs);

/** Rules of `packs/` where there is one, as in a collector's directory; else the directory is a pack, which stands for all. */
export function candidateIn(directory: string, now: InForce, nowUs: number): InForce {
  if (!existsSync(directory)) throw new NoCandidate(`${directory} is not there`);
  const file = join(directory, 'collector.yaml');
  const packs = join(directory, 'packs');
  const hasRules = readdirSync(directory, { recursive: true, encoding: 'utf8' }).some((name) => name.endsWith('.yml'));
  const hasSuppressions = existsSync(join(directory, 'suppressions.yaml'));
  if (!hasRules && !hasSuppressions && !existsSync(file))
    throw new NoCandidate(`${directory} holds neither rules nor a collector.yaml nor a suppressions.yaml`);
  const config = existsSync(file) ? readConfig(file) : undefined;
  return {
    rulepacks: existsSync(packs) ? loadRulepacks(packs) : hasRules ? { rules: loadPack(directory) } : now.rulepacks,
    tuning: config?.detectors ?? now.tuning,
    silenceSeconds: config?.silence_seconds ?? now.silenceSeconds,
    suppressions: hasSuppressions ? readSuppressions(directory, nowUs) : now.suppressions,
  };
}

/** The files of `home` as they were at that revision. */
export function revisionIn(home: string, revision: string, now: InForce, nowUs: number): InForce {
  const directory = mkdtempSync(join(tmpdir(), 'hushwatch-revision-'));
  try {
    const run = (command: string, args: readonly string[], input?: Buffer): Buffer => {
      const { status, stdout, stderr } = spawnSync(command, args, { input, maxBuffer: 1 << 28 });
      if (status !== 0) throw new NoCandidate(`${revision} is neither a directory nor a revision: ${line(stderr)}`);
      return stdout;
    };
    const git = ['-C', resolve(home)];
    const held = run('git', [...git, 'ls-tree', '--name-only', '--end-of-options', revision])
      .toString('utf8')
      .split('\n');
    const names = ['packs', 'collector.yaml', 'suppressions.yaml'].filter((name) => held.includes(name));
    if (names.length === 0) throw new NoCandidate(`${revision} has no rules, knobs or suppressions in ${home}`);
    run('tar', ['-x', '-C', directory], run('git', [...git, 'archive', '--format=tar', revision, '--', ...names]));
    return candidateIn(directory, now, nowUs);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

const line = (text: Buffer | null): string => text?.toString('utf8').split('\n')[0] ?? 'git is not there';
