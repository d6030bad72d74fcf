/**
 * `npm run deb [-- --out DIRECTORY] [--fast]`: hushwatch-agent and hushwatch-collector as Debian packages, from this checkout.
 *
 * The same checkout and the same tools give the same bytes: times are those of the last commit, names are in order, and nothing
 * of the machine that builds is in them. `--fast` packs quickly and less tightly, for tests.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { VERSION } from '../../agent/build.ts';
import { agentPackage, collectorPackage, type Built, type DebianPackage } from './packages.ts';

const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url));

export interface BuildOptions {
  readonly out: string;
  readonly fast?: boolean;
  /** For trying an upgrade. */
  readonly version?: string;
  readonly only?: DebianPackage['name'];
}

export interface BuiltPackage {
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
}

export async function buildPackages({
  out,
  fast,
  version = VERSION,
  only,
}: BuildOptions): Promise<readonly BuiltPackage[]> {
  mkdirSync(out, { recursive: true });
  const scratch = mkdtempSync(join(tmpdir(), 'hushwatch-deb-'));
  try {
    const built = compile(scratch, version);
    const made: BuiltPackage[] = [];
    const makers = { 'hushwatch-agent': agentPackage, 'hushwatch-collector': collectorPackage };
    for (const [name, make] of Object.entries(makers)) {
      if (only !== undefined && name !== only) continue;
      const each = await make(built);
      const file = join(out, `${name}_${version}_amd64.deb`);
      pack(each, join(scratch, name), file, fast === true);
      made.push({ file, bytes: statSync(file).size, sha256: digest(file) });
    }
    return made;
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

function compile(scratch: string, version: string): Built {
  execFileSync('make', ['-s', '-C', join(CHECKOUT, 'agent/sensor')]);
  const stripped = (from: string): Uint8Array => {
    const to = join(scratch, 'stripped');
    execFileSync('strip', ['-o', to, from]);
    return readFileSync(to);
  };
  const launch = join(scratch, 'launch');
  execFileSync('cc', [
    '-Os',
    '-Wall',
    '-Wextra',
    '-Werror',
    '-fPIE',
    '-pie',
    '-o',
    launch,
    join(CHECKOUT, 'deploy/systemd/launch.c'),
  ]);
  return {
    checkout: CHECKOUT,
    version,
    node: stripped(join(CHECKOUT, 'node_modules/node/bin/node')),
    sensor: stripped(join(CHECKOUT, 'agent/sensor/build/hushwatch-sensor')),
    launch: stripped(launch),
  };
}

function pack({ files, control }: DebianPackage, directory: string, to: string, fast: boolean): void {
  const place = (under: string, { path, mode, content }: DebianPackage['files'][number]): void => {
    const file = join(under, path);
    mkdirSync(dirname(file), { recursive: true, mode: 0o755 });
    writeFileSync(file, content);
    chmodSync(file, mode);
  };
  for (const each of files) place(directory, each);
  for (const each of control) place(join(directory, 'DEBIAN'), each);
  execFileSync('dpkg-deb', ['--root-owner-group', ...(fast ? ['-Zgzip', '-z1'] : ['-Zxz']), '--build', directory, to], {
    env: { ...process.env, SOURCE_DATE_EPOCH: lastCommit() },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

const lastCommit = (): string =>
  execFileSync('git', ['-C', CHECKOUT, 'log', '-1', '--format=%ct'], { encoding: 'utf8' }).trim();

const digest = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex');

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.umask(0o022);
  const { values } = parseArgs({ options: { out: { type: 'string', default: 'dist' }, fast: { type: 'boolean' } } });
  for (const { file, bytes, sha256 } of await buildPackages({ out: resolve(values.out), fast: values.fast === true }))
    process.stdout.write(`${file}  ${(bytes / 1e6).toFixed(1)} MB  sha256 ${sha256}\n`);
}
