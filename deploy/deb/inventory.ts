/** What a package is made of, for those who must know: a bill of materials (CycloneDX 1.6) and the licences. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Component {
  readonly name: string;
  readonly version: string;
  readonly licence: string;
  /** As the lockfile has it: `sha512-…`. */
  readonly integrity: string;
  /** The text of the licence. */
  readonly text: string;
}

interface Locked {
  readonly version?: string;
  readonly license?: string;
  readonly integrity?: string;
}

/** The libraries of these names, as the lockfile pins them. */
export function componentsOf(checkout: string, names: readonly string[]): readonly Component[] {
  // oxlint-disable-next-line no-unsafe-type-assertion -- npm's own file, of this checkout
  const lock = JSON.parse(readFileSync(join(checkout, 'package-lock.json'), 'utf8')) as {
    readonly packages: Readonly<Record<string, Locked>>;
  };
  return [...new Set(names)].toSorted().map((name) => {
    const locked = lock.packages[`node_modules/${name}`];
    if (locked === undefined) throw new Error(`${name} is not in package-lock.json`);
    return {
      name,
      version: locked.version ?? '',
      licence: locked.license ?? 'unknown',
      integrity: locked.integrity ?? '',
      text: licenceText(join(checkout, 'node_modules', name)),
    };
  });
}

function licenceText(directory: string): string {
  const file = existsSync(directory) ? readdirSync(directory).find((each) => /^licen[cs]e/i.test(each)) : undefined;
  return file === undefined ? '' : readFileSync(join(directory, file), 'utf8').trim();
}

/** Without a date and a random number, so that the same tree gives the same bytes. */
export function billOfMaterials(name: string, version: string, components: readonly Component[]): string {
  const list = components.map((each) => ({
    type: 'library',
    name: each.name,
    version: each.version,
    purl: `pkg:npm/${each.name.replace('@', '%40')}@${each.version}`,
    licenses: [{ license: /^[\w.+-]+$/.test(each.licence) ? { id: each.licence } : { name: each.licence } }],
    ...(each.integrity.startsWith('sha512-')
      ? { hashes: [{ alg: 'SHA-512', content: Buffer.from(each.integrity.slice(7), 'base64').toString('hex') }] }
      : {}),
  }));
  const about = { component: { type: 'application', name, version, licenses: [{ license: { id: 'Apache-2.0' } }] } };
  return `${JSON.stringify({ bomFormat: 'CycloneDX', specVersion: '1.6', version: 1, metadata: about, components: list }, null, 1)}\n`;
}

/** Debian's machine-readable `copyright`. */
export function copyright(components: readonly Component[]): string {
  const stanza = ({ name, version, licence, text }: Component): string =>
    `Files: ${name} ${version}\nCopyright: its authors\nLicense: ${licence}\n${indented(text)}`;
  return [
    'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: hushwatch',
    'Files: *\nCopyright: the Hushwatch authors\nLicense: Apache-2.0\n See /usr/share/common-licenses/Apache-2.0.\n',
    ...components.map(stanza),
  ].join('\n\n');
}

const indented = (text: string): string =>
  text
    .split('\n')
    .map((line) => (line.trim() === '' ? ' .' : ` ${line.trimEnd()}`))
    .join('\n');
