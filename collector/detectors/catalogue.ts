/**
 * What each detector that is no rule says, and why: the words of its page. Rules bring their own words. A detector that this table
 * lacks does not pass the test beside it.
 */
import type { Tuned } from './knobs.ts';

export interface Described {
  readonly id: string;
  /** `baseline`: it learns what is usual. `watch`: it looks at nodes and evidence themselves. */
  readonly kind: 'baseline' | 'watch';
  readonly title: string;
  readonly says: string;
  readonly why: string;
  /** Of its alerts, from … to. */
  readonly level: string;
  readonly harmless: readonly string[];
  /** Where its knobs stand under `detectors` in `collector.yaml`. */
  readonly knobs: Tuned | undefined;
}

const baseline = (
  id: Tuned,
  title: string,
  says: string,
  why: string,
  level: string,
  harmless: readonly string[],
): Described => ({ id, kind: 'baseline', title, says, why, level, harmless, knobs: id });

const watch = (
  id: string,
  title: string,
  says: string,
  why: string,
  level: string,
  harmless: readonly string[] = [],
): Described => ({ id, kind: 'watch', title, says, why, level, harmless, knobs: undefined });

export const CATALOGUE: readonly Described[] = [
  baseline(
    'first-seen',
    'Something happened on a node for the first time',
    'A program under a parent, a script, a port, a module, a way to log on or a change of user that the node had not shown before.',
    'Servers repeat themselves. What an intruder brings along is usually new on the machine.',
    'low; medium for ports that listen, modules and BPF',
    ['An installation or a new version of a program', 'A task that runs less often than the node has been watched'],
  ),
  baseline(
    'rarity',
    'Something rare happened on a node',
    'A kind of deed (event, program, directory or port) that the node has hardly ever shown.',
    'What is done once is more telling than what is done every hour; these alerts mostly add to the risk of others.',
    'informational; low where privilege, kernel or integrity are touched',
    ['Maintenance by hand', 'The first days after a node was enrolled'],
  ),
  baseline(
    'rate',
    'Much more happened than usual at this hour',
    'More starts, connections, deletions, renamings, names asked for, refused log-ons, data or events than on other days at the same hour.',
    'Encryption for ransom, scans, guessing of passwords and data that is carried away are a matter of amounts.',
    'low; medium for deletions, renamings, log-ons and data; a step more beyond ten times the limit',
    ['Backups, builds and load tests', 'Weekends, until the week is known'],
  ),
  baseline(
    'cohort',
    'A node differs from its peers',
    'A node did what its peers do not do, stopped doing what all of them do, or did much more or less.',
    'Nodes of one cohort run the same software. One that behaves unlike the others is worth a look, whatever it does.',
    'low; medium for ports, modules and log-ons from four nodes on',
    ['A rollout that reaches one node before the others', 'A node with another task than its cohort'],
  ),
  baseline(
    'lineage',
    'Programs started one another in an improbable way',
    'A chain of up to five programs that is far less probable than what the node usually shows.',
    'An exploited service starts what it never started before, through programs that are all ordinary by themselves.',
    'low; medium far beyond',
    ['Scripts of an installation', 'An operator who works by hand'],
  ),
  baseline(
    'risk',
    'Small findings came together',
    'Three or more different low or informational findings about one process tree, log-in session or node.',
    'An intrusion shows in many small things before it shows in a large one.',
    'medium',
    ['A session of an administrator who changes many things'],
  ),
  watch(
    'silence',
    'A node is silent',
    'A node has sent nothing for longer than `silence_seconds`.',
    'Who takes a machine over stops what watches it.',
    'high; medium when it said before that it would stop',
    ['A restart or a break of the network'],
  ),
  watch(
    'chain',
    'A node and its statements do not fit',
    'Gaps, forks and rewinds of batches, counters that run backwards, losses, sampling, a blind or weaker source, epochs out of turn.',
    'A clean bill is worth as much as the evidence it stands on.',
    'low to high',
    ['A full disk on the node', 'A flood of events by one program'],
  ),
  watch(
    'canary',
    'Redaction was tried and did not hold, or was not tried',
    'Made-up secrets came out of the redaction of a node, or it has not tried its redaction for too long.',
    'What should never leave must be known to be kept.',
    'medium to critical',
    ['A node that was away'],
  ),
  watch(
    'upgrade',
    'A node runs other software than before',
    'Agent, rules, system or kernel changed; until when the baselines relearn.',
    'What is new after an upgrade only counts as informational. That this is so, an operator should see.',
    'informational',
    ['Every upgrade'],
  ),
  watch(
    'evidence',
    'Evidence or a detector is broken at the collector',
    'A body that is in the log is no longer on the disk as it was, or a detector failed and did not see everything.',
    'What was not looked at must not count as clean.',
    'high',
    ['Retention that removed bodies before they were read'],
  ),
  watch(
    'refusal',
    'The collector refused what a node sent',
    'A batch was not signed, not released, not approved, or contradicts one that is logged.',
    'Honest nodes do not send such batches.',
    'medium to critical',
    ['Rules that were changed on the node before they were approved'],
  ),
];

export const describedDetector = (id: string): Described | undefined => CATALOGUE.find((each) => each.id === id);
