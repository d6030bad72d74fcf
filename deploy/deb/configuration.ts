/** The configurations as documents, made of their schemas: docs/configuration.md, example files, manual pages. */
import { KEYS as AGENT } from '../../agent/config.ts';
import { KEYS as SHIPPER } from '../../agent/shipper/config.ts';
import { KEYS as COLLECTOR } from '../../collector/config.ts';
import { KEYS as WITNESS } from '../../collector/witness/config.ts';
import { exampleOf, manualOf, roff, tableOf } from '../../config/pages.ts';
import type { Keys } from '../../config/schema.ts';

export interface Configuration {
  readonly process: 'agent' | 'shipper' | 'collector' | 'witness';
  readonly file: string;
  readonly says: string;
  readonly keys: Keys;
}

export const CONFIGURATIONS: readonly Configuration[] = [
  {
    process: 'agent',
    file: '/etc/hushwatch/agent.yaml',
    says: 'What the agent sees, redacts and signs. `hushwatch enroll` writes it.',
    keys: AGENT,
  },
  {
    process: 'shipper',
    file: '/etc/hushwatch/shipper.yaml',
    says: 'Where the shipper carries what is signed. `hushwatch enroll` writes it.',
    keys: SHIPPER,
  },
  {
    process: 'collector',
    file: '/var/lib/hushwatch-collector/collector.yaml',
    says: 'The collector, whose data directory is the one that the file lies in. `hushwatch collector init` writes it.',
    keys: COLLECTOR,
  },
  {
    process: 'witness',
    file: '/var/lib/hushwatch-witness/witness.yaml',
    says: 'Which logs a witness watches. `hushwatch witness init` writes it; what it saw lies beside it.',
    keys: WITNESS,
  },
];

const INTRO = `# Configuration

One YAML file for each process; the sensor has a command line only. Made of the schemas by \`npx vitest run --project unit test/docs.test.ts -u\`.

- \`hushwatch agent check\`, \`hushwatch shipper check\` and \`hushwatch collector check\`, with or without a FILE, read a file and all that it names as the process would. What is wrong is told with file, line, column and key, all of it at once, with the nearest word that is right; the exit code is 3.
- YAML is read strictly: no unknown key, no key twice, no aliases, no tags. Relative paths are relative to the file.
- A file is refused if anyone, or a group other than root's, may write it or a directory on the way to it, links included. A person's own group, with the number of its user, is no other.
- \`systemctl reload\` (or SIGHUP) reads the file again. Keys that are read at SIGHUP take effect then, all of them or, if anything is wrong, none: the former ones stay in force, which the log says and \`hushwatch status\` shows until it is mended. Keys that are read at start wait for the next one; \`status\` names those that differ.
- The sensor takes options instead (\`hushwatch-sensor --help\`): \`systemctl edit hushwatch-sensor\`.
`;

export function configurationPage(): string {
  const sections = CONFIGURATIONS.map(
    ({ process, file, says, keys }) =>
      `## ${process}.yaml\n\n${says} As a package has it: \`${file}\`.\n\n${tableOf(keys)}\n`,
  );
  return [INTRO, ...sections].join('\n');
}

/** A commented file in which nothing is set. */
export const example = ({ process, file, says, keys }: Configuration): string =>
  exampleOf(`${file}, an example. ${says} \`hushwatch ${process} check FILE\` says what is wrong with it.`, keys);

/** `hushwatch-agent.yaml.5`, not packed. */
export function manualPage({ process, file, says, keys }: Configuration): string {
  return `.TH HUSHWATCH\\-${process.toUpperCase()}.YAML 5 "" "Hushwatch"
.SH NAME
hushwatch\\-${process}.yaml \\- configuration of the Hushwatch ${process}
.SH SYNOPSIS
.I ${roff(file)}
.SH DESCRIPTION
${roff(says)}
Strict YAML; keys of maps stand behind the name of the map and a dot. What is read at SIGHUP takes effect with
.BR "systemctl reload" ,
all of it or, if anything is wrong, nothing.
.SH KEYS
${manualOf(keys)}.SH SEE ALSO
.BR hushwatch\\-${process} (1)
`;
}
