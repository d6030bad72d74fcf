/**
 * What the doctor thinks of what was found. Pure: facts in, findings out; a new concern is one more function in `CHECKS`.
 */
import { SENSES, tracepointsOf } from '#protocol/senses.ts';
import { EVENTS, isEventName, type EventName } from '#protocol/vocabulary.ts';
import { remedyFor } from '../shipper/refusal.ts';
import { clockFindings } from '../../service/clock.ts';
import { ok, problem, warning, type Finding } from '../../service/finding.ts';
import type { Facts, SensorReport } from './facts.ts';

const FREE_BYTES_MIN = 64 << 20;
const UNRECEIPTED_S = 600;

function kernel({ release, typed }: Facts): Finding[] {
  if (typed) return [ok('kernel', `Linux ${release}, which describes its types (BTF)`)];
  return [
    problem(
      'kernel',
      `Linux ${release} does not describe its types (no BTF)`,
      'use a kernel built with CONFIG_DEBUG_INFO_BTF, or set source: proc, which sees processes only',
    ),
  ];
}

function capabilities({ missingCapabilities }: Facts): Finding[] {
  if (missingCapabilities.length === 0) return [ok('capabilities', 'CAP_BPF and CAP_PERFMON are here')];
  return [
    warning(
      'capabilities',
      `without ${missingCapabilities.join(' and ')} the sensor cannot be tried`,
      'run hushwatch doctor as root; the sensor itself is given both by its unit',
    ),
  ];
}

function sensor({ sensor: found, missingCapabilities, version }: Facts): Finding[] {
  if (found === undefined) {
    return [problem('sensor', 'hushwatch-sensor is not where it was looked for', 'build it, or name it with --sensor')];
  }
  if ('refusal' in found) {
    // Its first complaint is what we lack, which stands above already.
    return missingCapabilities.length > 0 ? [] : [problem('sensor', found.refusal, found.hint)];
  }
  if (found.version !== version) {
    return [
      problem('sensor', `it is of version ${found.version}, the agent of ${version}`, 'install both from one package'),
    ];
  }
  const slow = found.access === 'slow' ? '; reads kernel objects by copies, as kernels before 6.2 need' : '';
  return [ok('sensor', `version ${found.version} loads here${slow}`)];
}

/** Every event of the vocabulary that this kernel cannot give, or only in part. */
function events({ sensor: found }: Facts): Finding[] {
  if (found === undefined || 'refusal' in found) return [];
  const names = Object.keys(EVENTS).filter(isEventName);
  const lacking = names.flatMap((name) => lackOf(name, found));
  return lacking.length > 0 ? lacking : [ok('events', 'this kernel has the tracepoints of all events')];
}

function lackOf(name: EventName, { programs }: SensorReport): Finding[] {
  const wanted = tracepointsOf(SENSES[name]);
  // Of `on_x` and `on_x_before` one is for older kernels, and where either loads nothing is missing.
  const task = (program: string): string => program.replace(/_before$/, '');
  const done = new Set(programs.flatMap(({ name: program, loads }) => (loads ? [task(program)] : [])));
  const here = (tracepoint: string): boolean =>
    programs.some((one) => one.tracepoint === tracepoint && (one.loads || done.has(task(one.name))));
  const lacking = wanted.filter((tracepoint) => !here(tracepoint));
  if (lacking.length === 0) return [];
  const why = `this kernel has no tracepoint ${lacking.join(', ')}`;
  if (lacking.length < wanted.length) {
    return [warning('events', `${name} in part: ${why}`, `what remains is seen at: ${SENSES[name].hook}`)];
  }
  return [warning('events', `${name} never: ${why}`, 'use a kernel that has it, or do without')];
}

function otherSources({ procConnector, journal }: Facts): Finding[] {
  return [
    procConnector
      ? ok('proc connector', 'this kernel has it (as root, in the first network namespace)')
      : warning('proc connector', 'not in this kernel', 'the source proc then scans /proc, and misses the short-lived'),
    journal
      ? ok('journal', 'there, and journalctl too')
      : warning('journal', 'none, or no journalctl', 'log-ons are seen where systemd-journald keeps a journal'),
  ];
}

const clock = ({ clockSynchronized }: Facts): Finding[] => clockFindings(clockSynchronized);

function configuration({ configuration: files }: Facts): Finding[] {
  return files.flatMap(({ says, problems }) =>
    problems.length === 0
      ? [ok('configuration', says)]
      : problems.map((line) => problem('configuration', line, 'mend the file; `check` of its command says the same')),
  );
}

/** Without approval the agent runs, counts, and releases nothing: easily taken for peace. */
function approval({ approvals }: Facts): Finding[] {
  return approvals.map(({ kind, digest, approved, problem: why }) => {
    if (approved === undefined) {
      const [says, hint] = splitHint(why ?? '');
      return problem(
        'approval',
        `${WHAT[kind]} ${digest.slice(0, 12)} may not be used here, nothing is released: ${says}`,
        hint,
      );
    }
    const { name, version, reviewers, quorum } = approved;
    const by = `${reviewers.join(', ')} (${reviewers.length} of the ${quorum} that are needed)`;
    return ok(
      'approval',
      `${WHAT[kind]} ${digest.slice(0, 12)}, ${name} version ${version}, approved by ${by}, in the log`,
    );
  });
}

const WHAT = { ruleset: 'ruleset', rulepack: 'rule pack' } as const;
const WHAT_TO_DO =
  'have the rules that are installed approved and published (hushwatch rules approve, rules publish), and fetch note and proof';

/** A refusal of rules ends with what to do, behind a semicolon. */
function splitHint(text: string): readonly [string, string] {
  const at = text.lastIndexOf('; ');
  return at < 0 ? [text, WHAT_TO_DO] : [text.slice(0, at), `${text.slice(at + 2)}: ${WHAT_TO_DO}`];
}

function spool({ spool: found }: Facts): Finding[] {
  if (found === undefined) return [];
  const { path, writable, readOnly, damaged, freeBytes, limitBytes, waiting, oldestWaitingS, lastReceiptS, refusal } =
    found;
  const findings: Finding[] = [];
  if (readOnly)
    findings.push(problem('spool', `${path}: its file system is read-only`, 'look at dmesg, then remount it'));
  else if (!writable)
    findings.push(problem('spool', `${path}: not there or not ours to write`, "give it to the agent's user"));
  const free = `${Math.floor(freeBytes / 2 ** 20)} MiB free`;
  if (freeBytes < FREE_BYTES_MIN) findings.push(problem('spool', `${path}: ${free}`, 'make room: events will be shed'));
  else if (freeBytes < limitBytes) {
    findings.push(warning('spool', `${path}: ${free}, less than spool_bytes`, 'make room, or lower spool_bytes'));
  } else if (writable) findings.push(ok('spool', `${path}: ${free}, ${waiting} batches wait`));
  if (damaged > 0)
    findings.push(
      warning('spool', `${damaged} batches were damaged here`, `look at dmesg, then remove ${path}/*.damaged`),
    );
  const receipt = lastReceiptS === undefined ? 'no receipt yet' : `last receipt ${lastReceiptS} s ago`;
  const late = oldestWaitingS !== undefined && oldestWaitingS > UNRECEIPTED_S;
  findings.push(
    late
      ? problem(
          'receipts',
          `${receipt}; a batch waits for ${oldestWaitingS} s`,
          'is the shipper running? what does it log?',
        )
      : ok('receipts', receipt),
  );
  if (refusal !== undefined)
    findings.push(problem('receipts', `${refusal.message} (${refusal.code})`, remedyFor(refusal.code)));
  return findings;
}

const SOON_DAYS = 30;

function certificate({ certificate: found }: Facts): Finding[] {
  if (found === undefined) return [];
  if ('problem' in found)
    return [problem('certificate', found.problem, 'hushwatch enroll makes both when they are not there')];
  const { file, daysLeft, readableBy } = found;
  const findings: Finding[] = [];
  if (readableBy !== undefined)
    findings.push(problem('certificate', `${readableBy}: others may read it`, `chmod 600 ${readableBy}`));
  // The collector knows the key and asks for no date; what stands between may.
  if (daysLeft < 0)
    findings.push(warning('certificate', `${file}: expired`, 'the key counts; make it anew at leisure'));
  else if (daysLeft < SOON_DAYS)
    findings.push(
      warning('certificate', `${file}: ${daysLeft} days are left`, 'the key counts; make it anew at leisure'),
    );
  else findings.push(ok('certificate', `${file}: belongs to its key, ${daysLeft} days are left`));
  return findings;
}

function collector({ collector: found }: Facts): Finding[] {
  if (found === undefined) return [];
  const { address, error, pin } = found;
  if (error !== undefined)
    return [
      problem(
        'collector',
        `${address}: no connection (${error})`,
        'is the address right, the collector running, a firewall between?',
      ),
    ];
  if (pin !== undefined)
    return [
      problem(
        'collector',
        `${address}: shows the key ${pin}, not the pinned one`,
        'is this our collector? ask its operator, then enroll again',
      ),
    ];
  return [ok('collector', `${address} takes connections, and is the one that is pinned`)];
}

const CHECKS: readonly ((facts: Facts) => Finding[])[] = [
  kernel,
  capabilities,
  sensor,
  events,
  otherSources,
  clock,
  configuration,
  approval,
  spool,
  certificate,
  collector,
];

export const examine = (facts: Facts): Finding[] => CHECKS.flatMap((check) => check(facts));
