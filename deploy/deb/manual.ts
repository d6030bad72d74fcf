/** Manual pages and completion, made from what the commands say of themselves, so that they cannot say anything else. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { roff } from '../../config/pages.ts';
import { CONFIGURATIONS, manualPage } from './configuration.ts';

const BRIEF: Readonly<Record<string, string>> = {
  '': "watches a machine without looking over its users' shoulders",
  agent: 'redacts, signs and spools what the sensor sees',
  shipper: 'carries signed batches to the collector',
  collector: 'receives, proves and searches what nodes send',
  witness: 'cosigns logs that only grow',
  doctor: 'what works on this machine, what does not, and what to do',
  status: 'how this node fares, for people and for monitoring',
  enroll: 'makes this machine a node of a collector',
  rules: 'what leaves a node, why, and who said yes',
  keys: 'roots of pseudonyms that nodes share',
  detect: 'tries and tunes detection rules',
};

/** What the program and each command print when they are asked how they are used, by command; '' is the program. */
export async function usagesOf(checkout: string, commands: readonly string[]): Promise<Usages> {
  const all = ['', ...commands].map(async (command) => [command, await usageOf(checkout, command)] as const);
  return new Map(await Promise.all(all));
}
export type Usages = ReadonlyMap<string, string>;

async function usageOf(checkout: string, command: string): Promise<string> {
  const args = [join(checkout, 'hushwatch.ts'), ...(command === '' ? [] : [command]), '--help'];
  // Whatever its status: what counts is what it says.
  const usage = await new Promise<string>((settle) =>
    execFile(process.execPath, args, (_, stdout, stderr) => settle(`${stdout}${stderr}`)),
  );
  const start = usage.indexOf('usage: ');
  if (start < 0) throw new Error(`hushwatch ${command} does not say how it is used`);
  return usage.slice(start);
}

/** `hushwatch.1.gz`, `hushwatch-agent.1.gz`, … by their names. */
export function manualPages(usages: Usages): ReadonlyMap<string, Uint8Array> {
  const commands = [...usages.keys()].filter((command) => command !== '');
  return new Map(
    [...usages].map(([command, usage]) => {
      const name = ['hushwatch', ...(command === '' ? [] : [command])].join('-');
      return [`${name}.1.gz`, gzipSync(pageOf(name, BRIEF[command] ?? '', usage, commands))];
    }),
  );
}

/** Of the files that processes read: `hushwatch-agent.yaml.5.gz`, … */
export function configurationPages(processes: readonly string[]): ReadonlyMap<string, Uint8Array> {
  return new Map(
    CONFIGURATIONS.filter(({ process }) => processes.includes(process)).map((each) => [
      `hushwatch-${each.process}.yaml.5.gz`,
      gzipSync(manualPage(each)),
    ]),
  );
}

function pageOf(name: string, brief: string, usage: string, commands: readonly string[]): string {
  const others = commands.map((each) => `.BR hushwatch\\-${each} (1)`).join(',\n');
  return `.TH ${name.toUpperCase()} 1 "" "Hushwatch"
.SH NAME
${name.replaceAll('-', '\\-')} \\- ${brief}
.SH USAGE
.nf
${roff(usage)}.fi
.SH SEE ALSO
.BR hushwatch (1),
${others}
`;
}

/** For bash: commands, then the words that each knows, then files. */
export function completion(usages: Usages): string {
  const commands = [...usages.keys()].filter((command) => command !== '');
  const verbs = (command: string): string => {
    const words = (usages.get(command) ?? '').matchAll(
      new RegExp(`hushwatch ${command} ([a-z]+(?: \\| [a-z]+)*)\\b(?![-.])`, 'g'),
    );
    return [...new Set([...words].flatMap(([, list = '']) => list.split(' | ')))].join(' ');
  };
  const cases = commands.map((command) => `    ${command}) words='${verbs(command)}' ;;`).join('\n');
  return `# bash completion for hushwatch
_hushwatch() {
  local words=''
  if [ "$COMP_CWORD" -eq 1 ]; then
    words='${commands.join(' ')}'
  else case "\${COMP_WORDS[1]}" in
${cases}
  esac; fi
  [ "$COMP_CWORD" -gt 2 ] && words=''
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}")
}
complete -o default -F _hushwatch hushwatch
`;
}
