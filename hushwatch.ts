#!/usr/bin/env node
/**
 * `hushwatch`: one name for every command. Each side brings its own `main`; only the one asked for is loaded,
 * so that a verifier loads no agent and an agent loads no collector.
 */
type Main = (args: string[]) => Promise<number>;

const COMMANDS: Readonly<Record<string, () => Promise<Main>>> = {
  start: async () => (await import('./deploy/start.ts')).main,
  enroll: async () => (await import('./deploy/enroll.ts')).main,
  agent: async () => (await import('./agent/main.ts')).main,
  doctor: async () => (await import('./deploy/sides.ts')).doctor,
  status: async () => (await import('./deploy/sides.ts')).status,
  shipper: async () => (await import('./agent/shipper/main.ts')).main,
  rules: async () => (await import('./redaction-rules/main.ts')).main,
  'rules preview': async () => (await import('./agent/preview-rules.ts')).main,
  keys: async () => (await import('./redaction-rules/authority.ts')).main,
  detect: async () => (await import('./collector/tuning/main.ts')).main,
  cohort: async () => (await import('./collector/tuning/show.ts')).cohortMain,
  witness: async () => (await import('./collector/witness/main.ts')).main,
  collector: async () => (await import('./collector/main.ts')).main,
  events: async () => (await import('./collector/main.ts')).events,
  alerts: async () => (await import('./collector/story-commands.ts')).alerts,
  stories: async () => (await import('./collector/story-commands.ts')).stories,
  verify: async () => (await import('./collector/main.ts')).verify,
};

/** As a shell tells it of every program that a closed pipe ended. */
const EXIT_OF_SIGPIPE = 141;

const USAGE = `usage: hushwatch COMMAND [ARGUMENTS]

on a node
  enroll INVITATION             keys, configuration and rules of this node, by what the collector made for it
  agent run | check | preview   turn frames into redacted, signed batches
  doctor                        what works on this machine, what does not, and what to do
  status                        how this machine fares, for people and for monitoring
  shipper run                   carry batches to the collector
for reviewers
  rules check | explain | diff  what leaves, why, and who uses it
  rules preview                 live or recorded events, before and after
  rules oracle                  what rules on nodes can tell of what does not leave
  rules risk                    what remains guessable in what was released
  rules key | approve | publish sign what may be used, and make it known
  rules verify                  check an approval from public keys
for the privacy authority
  keys init | node | seal | rotate   roots of pseudonyms that nodes share
for collector operators
  collector run | check         receive, verify, keep, log, detect
  collector invite | admit      let a node in
  collector token               who may log in to the dashboard, and ask its API
  detect test | plan            try detection rules
  detect show ID                what a detector says, how loud it is, its knobs
  cohort [NAME]                 which node differs from its peers, and in what
  detect backtest | noise | explain | suggest   tune them on the evidence
  detect diff | apply | changes   put rules and knobs in force, logged with who and why
  events --since 10m --json     released events, from the evidence
  stories                       what is worth reading: alerts told by process tree
  stories show | verdict | record   one of them, what you say of it, who said what
  alerts --json                 everything the detectors said
  detect budget                 what a number of stories a day would have shown
for witnesses, elsewhere
  witness init | run            cosign a log that only grows
for auditors
  verify DIRECTORY              check everything from public keys alone
here and now
  start                         all of it on this machine

example: hushwatch events --since 10m --where "event = 'process.exec'" --json
`;

const [command = '', ...rest] = process.argv.slice(2);
// What shows raw events is the agent's, whatever it is called.
const pair = `${command} ${rest[0] ?? ''}`;
const [load, args] = Object.hasOwn(COMMANDS, pair)
  ? [COMMANDS[pair], rest.slice(1)]
  : [Object.hasOwn(COMMANDS, command) ? COMMANDS[command] : undefined, rest];
// Whoever reads may stop reading: `| head` is no failure of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(EXIT_OF_SIGPIPE);
});
if (load === undefined) {
  const asked = command === '' || command === '--help' || command === 'help';
  (asked ? process.stdout : process.stderr).write(asked ? USAGE : `hushwatch: no command ${command}\n${USAGE}`);
  process.exitCode = asked && command !== '' ? 0 : 2;
} else {
  const main = await load();
  process.exitCode = await main(args);
}
