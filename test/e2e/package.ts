/** Debian packages, unpacked and never installed, kept in a cache outside of the checkout. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const CACHE = process.env['HUSHWATCH_TEST_CACHE'] ?? '/var/cache/hushwatch-test';

/** Where the package's files lie, from the cache or from Debian. With `real`, the package may only depend on the real one. */
export function unpacked(name: string, real?: RegExp): string {
  const directory = join(CACHE, name);
  if (!existsSync(directory)) fetchPackage(name, real, directory);
  return directory;
}

/** Complete or not there: what is half unpacked lies elsewhere until it is whole. */
function fetchPackage(name: string, real: RegExp | undefined, directory: string): void {
  mkdirSync(CACHE, { recursive: true });
  const work = mkdtempSync(join(CACHE, 'new-'));
  try {
    download(real?.exec(run('apt-cache', ['depends', name], work))?.[1] ?? name, work);
    const file = readdirSync(work).find((one) => one.endsWith('.deb'));
    if (file === undefined) throw new Error(`apt-get brought no ${name}`);
    run('dpkg-deb', ['-x', file, 'unpacked'], work);
    renameSync(join(work, 'unpacked'), directory);
  } finally {
    rmSync(work, { recursive: true });
  }
}

/** What apt knows may be older than what its servers still have. */
function download(name: string, into: string): void {
  try {
    run('apt-get', ['download', '-qq', name], into);
  } catch {
    run('apt-get', ['update', '-qq'], into);
    run('apt-get', ['download', '-qq', name], into);
  }
}

const run = (program: string, args: readonly string[], cwd: string): string =>
  execFileSync(program, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
