/**
 * The two packages, file by file. What is in them is all that runs: no interpreter, no library but the C library and no
 * network is needed to install or to start them.
 *
 *     /usr/lib/NAME/       node, one JavaScript file for each process, what they read
 *     /usr/bin/hushwatch   the commands; where both packages are, those of the collector
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { sourceDigest } from '../../agent/build.ts';
import { bundle, type Bundle, type BundleOptions } from './bundle.ts';
import { billOfMaterials, componentsOf, copyright } from './inventory.ts';
import { CONFIGURATIONS, example } from './configuration.ts';
import { completion, configurationPages, manualPages, usagesOf } from './manual.ts';

export interface PackageFile {
  readonly path: string;
  readonly mode: 0o644 | 0o755;
  readonly content: string | Uint8Array;
}

export interface DebianPackage {
  readonly name: 'hushwatch-agent' | 'hushwatch-collector';
  readonly control: readonly PackageFile[];
  readonly files: readonly PackageFile[];
}

export interface Built {
  readonly checkout: string;
  readonly version: string;
  /** Programs that are compiled, stripped. */
  readonly node: Uint8Array;
  readonly sensor: Uint8Array;
  readonly launch: Uint8Array;
}

const elsewhere = (name: string): string => `hushwatch: this command is in the package ${name}`;
const START_ELSEWHERE = [
  'deploy/start.ts',
  'hushwatch: `start` is for a checkout; here services run: systemctl',
] as const;
/** On nodes nothing of the collector runs, and so nothing of it is there. */
const NOT_ON_NODES = new Map([
  START_ELSEWHERE,
  ...[
    'collector/main.ts',
    'collector/story-commands.ts',
    'collector/witness/main.ts',
    'collector/tuning/main.ts',
    'collector/tuning/show.ts',
    'collector/status.ts',
    'collector/doctor.ts',
  ].map((file) => [file, elsewhere('hushwatch-collector')] as const),
]);

export async function agentPackage(built: Built): Promise<DebianPackage> {
  const name = 'hushwatch-agent';
  const make = bundlerOf(built.checkout);
  const [agent, shipper, command] = await Promise.all([
    make({ entry: 'agent/main.ts' }),
    make({ entry: 'agent/shipper/main.ts' }),
    make({ entry: 'hushwatch.ts', isProgram: true, without: NOT_ON_NODES }),
  ]);
  const units = ['agent.service', 'sensor.service', 'shipper.service'].map((unit) => `hushwatch-${unit}`);
  const programs = { node: built.node, 'hushwatch-sensor': built.sensor, 'hushwatch-launch': built.launch };
  return assemble(built, {
    name,
    description:
      "watches a node without looking over its users' shoulders\n Sensor, agent and shipper of Hushwatch: kernel events become events, which are redacted by\n reviewed rules, signed, and carried to a collector.",
    programs,
    bundles: { 'agent.js': agent, 'shipper.js': shipper, 'hushwatch.js': command },
    units: [...units, 'hushwatch.target', 'hushwatch.slice'],
    enabled: 'hushwatch.target',
    more: [],
  });
}

export async function collectorPackage(built: Built): Promise<DebianPackage> {
  const name = 'hushwatch-collector';
  const make = bundlerOf(built.checkout);
  const [collector, witness, command] = await Promise.all([
    make({ entry: 'collector/main.ts' }),
    make({ entry: 'collector/witness/main.ts' }),
    make({ entry: 'hushwatch.ts', isProgram: true, without: new Map([START_ELSEWHERE]) }),
  ]);
  const library = (path: string): readonly PackageFile[] =>
    tree(join(built.checkout, 'node_modules', path), `usr/lib/${name}/node_modules/${path}`);
  return assemble(built, {
    name,
    description:
      'receives, proves and searches what Hushwatch agents send\n Collector, witness and commands of Hushwatch: keeps evidence under a transparency log, detects, and shows.',
    programs: { node: built.node, 'hushwatch-launch': built.launch },
    bundles: { 'collector.js': collector, 'witness.js': witness, 'hushwatch.js': command },
    units: ['hushwatch-collector.service', 'hushwatch-collector.socket', 'hushwatch-witness.service'],
    enabled: 'hushwatch-collector.service',
    more: [
      ...['@duckdb/node-api', '@duckdb/node-bindings', '@duckdb/node-bindings-linux-x64', 'uplot/dist'].flatMap(
        library,
      ),
      ...['detect-libc', 'uplot/package.json'].flatMap(library),
      ...tree(join(built.checkout, 'collector/dashboard/static'), `usr/lib/${name}/static`),
    ],
  });
}

const ON_NODES = ['agent', 'doctor', 'enroll', 'shipper', 'status'];
const ON_COLLECTORS = ['rules', 'keys', 'collector', 'witness', 'detect'];

const bundlerOf =
  (checkout: string) =>
  (options: Omit<BundleOptions, 'checkout' | 'build'>): Promise<Bundle> =>
    bundle({ ...options, checkout, build: sourceDigest() });

interface Parts {
  readonly name: DebianPackage['name'];
  readonly description: string;
  readonly programs: Readonly<Record<string, Uint8Array>>;
  readonly bundles: Readonly<Record<string, Bundle>>;
  readonly units: readonly string[];
  /** What an operator enables. */
  readonly enabled: string;
  readonly more: readonly PackageFile[];
}

async function assemble({ checkout, version }: Built, parts: Parts): Promise<DebianPackage> {
  const { name, programs, bundles, units, more } = parts;
  const library = `usr/lib/${name}`;
  const deploy = (path: string): Uint8Array => readFileSync(join(checkout, 'deploy', path));
  const plain = (path: string, content: string | Uint8Array): PackageFile => ({ path, mode: 0o644, content });
  const commands = name === 'hushwatch-agent' ? ON_NODES : [...ON_NODES, ...ON_COLLECTORS];
  const usages = await usagesOf(checkout, commands);
  const pages = [...manualPages(usages)];
  // Both packages may be on one machine: a page belongs to one of them, the first of all to whose command is in force.
  const own = pages.filter(([file]) =>
    (name === 'hushwatch-agent' ? ON_NODES : ON_COLLECTORS).some((each) => file === `hushwatch-${each}.1.gz`),
  );
  const configured = name === 'hushwatch-agent' ? ['agent', 'shipper'] : ['collector', 'witness'];
  const packed = Object.values(bundles).flatMap(({ libraries }) => libraries);
  const components = componentsOf(checkout, [
    ...packed,
    'node',
    ...(name === 'hushwatch-collector' ? ['@duckdb/node-api', 'uplot'] : []),
  ]);
  const files = [
    ...Object.entries(programs).map(([file, content]): PackageFile => ({
      path: `${library}/${file}`,
      mode: 0o755,
      content,
    })),
    ...Object.entries(bundles).map(([file, { code }]) => plain(`${library}/${file}`, code)),
    plain(`${library}/package.json`, '{ "type": "module" }\n'),
    plain(`${library}/mapping.yaml`, readFileSync(join(checkout, 'collector/detectors/mapping.yaml'))),
    ...tree(join(checkout, 'collector/detectors/rules'), `${library}/rules`).filter(
      ({ path }) => !path.includes('/tests/'),
    ),
    ...tree(join(checkout, 'redaction-rules/rulesets'), `${library}/rulesets`),
    {
      path: `${library}/hushwatch`,
      mode: 0o755 as const,
      content: `#!/bin/sh\nHUSHWATCH_COLLECTOR="\${HUSHWATCH_COLLECTOR:-/var/lib/hushwatch-collector}" exec /${library}/node /${library}/hushwatch.js "$@"\n`,
    },
    ...own.map(([file, page]) => plain(`usr/share/man/man1/${file}`, page)),
    ...[...configurationPages(configured)].map(([file, page]) => plain(`usr/share/man/man5/${file}`, page)),
    ...CONFIGURATIONS.filter(({ process }) => configured.includes(process)).map((each) =>
      plain(`usr/share/doc/${name}/examples/${each.process}.yaml`, example(each)),
    ),
    plain(`usr/share/${name}/completion`, completion(usages)),
    plain(`usr/share/${name}/hushwatch.1.gz`, pages.find(([file]) => file === 'hushwatch.1.gz')?.[1] ?? ''),
    ...units.map((unit) => plain(`lib/systemd/system/${unit}`, deploy(`systemd/${unit}`))),
    plain(`usr/lib/sysusers.d/${name}.conf`, deploy(`systemd/${name}.sysusers`)),
    plain(`usr/share/doc/${name}/copyright`, copyright(components)),
    plain(`usr/share/doc/${name}/sbom.cdx.json`, billOfMaterials(name, version, components)),
    plain(`usr/lib/tmpfiles.d/${name}.conf`, deploy(`systemd/${name}.tmpfiles`)),
    ...more,
  ].toSorted((a, b) => (a.path < b.path ? -1 : 1));
  return { name, files, control: controlOf(version, parts, files) };
}

const script = (body: string): string => `#!/bin/sh\nset -e\n${body}`;

function controlOf(
  version: string,
  { name, description, units, enabled }: Parts,
  files: readonly PackageFile[],
): readonly PackageFile[] {
  const size = files.reduce((sum, { content }) => sum + Math.ceil(content.length / 1024), 0);
  const priority = name === 'hushwatch-collector' ? 20 : 10;
  const services = [enabled, ...units.filter((unit) => unit !== enabled)].join(' ');
  const control = `Package: ${name}
Version: ${version}
Architecture: amd64
Section: admin
Priority: optional
Maintainer: the Hushwatch authors <hushwatch@example.org>
Depends: libc6 (>= 2.28), libstdc++6, libatomic1, systemd (>= 252), openssl
Installed-Size: ${size}
Description: ${description}
`;
  const postinst = `systemd-sysusers ${name}.conf
systemd-tmpfiles --create ${name}.conf
update-alternatives --install /usr/bin/hushwatch hushwatch /usr/lib/${name}/hushwatch ${priority} \\
  --slave /usr/share/man/man1/hushwatch.1.gz hushwatch.1.gz /usr/share/${name}/hushwatch.1.gz \\
  --slave /usr/share/bash-completion/completions/hushwatch hushwatch-completion /usr/share/${name}/completion >/dev/null
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  # After an upgrade: what ran goes on with the new program. Nothing is enabled or started that was not.
  [ -z "$2" ] || systemctl try-restart ${enabled} ${units.filter((unit) => unit.endsWith('.service')).join(' ')}
fi
`;
  const prerm = `if [ "$1" = remove ]; then
  [ ! -d /run/systemd/system ] || systemctl disable --now ${services} >/dev/null 2>&1 || true
  update-alternatives --remove hushwatch /usr/lib/${name}/hushwatch
fi
`;
  const kept =
    name === 'hushwatch-agent'
      ? '/etc/hushwatch /var/lib/hushwatch /var/lib/hushwatch-ship /var/cache/hushwatch /var/cache/hushwatch-ship'
      : '/var/lib/hushwatch-collector /var/cache/hushwatch-collector /var/lib/hushwatch-witness /var/cache/hushwatch-witness';
  const users =
    name === 'hushwatch-agent' ? 'hushwatch-sensor hushwatch-ship hushwatch' : 'hushwatch-collector hushwatch-witness';
  const postrm = `[ ! -d /run/systemd/system ] || systemctl daemon-reload
if [ "$1" = purge ]; then
  rm -rf ${kept} /etc/systemd/system/hushwatch-*.service.d
  for user in ${users}; do
    [ -z "$(getent passwd $user)" ] || userdel $user
    [ -z "$(getent group $user)" ] || groupdel $user
  done
fi
`;
  return [
    { path: 'control', mode: 0o644, content: control },
    { path: 'postinst', mode: 0o755, content: script(postinst) },
    { path: 'prerm', mode: 0o755, content: script(prerm) },
    { path: 'postrm', mode: 0o755, content: script(postrm) },
  ];
}

/** A file, or all files below a directory but those for people who program, to lie at `to`. */
function tree(from: string, to: string): readonly PackageFile[] {
  if (statSync(from).isFile()) return [{ path: to, mode: 0o644, content: readFileSync(from) }];
  const names = readdirSync(from, { recursive: true, withFileTypes: true }).filter(
    (each) => each.isFile() && !/\.(?:d\.ts|map|md)$/.test(each.name),
  );
  return names.map(({ parentPath, name }) => ({
    path: join(to, join(parentPath, name).slice(from.length)),
    mode: 0o644,
    content: readFileSync(join(parentPath, name)),
  }));
}
