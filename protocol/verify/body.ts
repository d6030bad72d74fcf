/** The bodies of batches: there, the ones that were signed, and what their statements say of them. */
import { unpackLines } from '../batch.ts';
import { sha256Hex } from '../encoding.ts';
import { ProtocolError } from '../error.ts';
import { recordOf } from '../line.ts';
import { NO_RULES, type Counts, type Statement } from '../statement.ts';
import { CLASSES, EVENTS, isEventName, vocabularyDigest, type EventClass } from '../vocabulary.ts';
import type { Archive, Findings } from './archive.ts';

/** Where the body with this hash lies. */
export function bodyPath(sha256: string): string {
  return `evidence/${sha256.slice(0, 2)}/${sha256}.ndjson.zst`;
}

export async function verifyBody(
  archive: Archive,
  statement: Statement,
  where: string,
  findings: Findings,
): Promise<void> {
  const { body, events, time, vocabulary } = statement;
  const bytes = await archive.reader.readFile(bodyPath(body.sha256));
  if (bytes === undefined) {
    const expired = time.last < (archive.bodiesSince ?? 0);
    findings.bodies[expired ? 'expired' : 'missing'] += 1;
    if (!expired) findings.problems.push({ code: 'missing-body', where, message: bodyPath(body.sha256) });
    return;
  }
  findings.bodies.present += 1;
  if (bytes.length !== body.bytes || sha256Hex(bytes) !== body.sha256) {
    throw new ProtocolError('body-mismatch', `${bodyPath(body.sha256)} has another length or hash`);
  }
  const lines = unpackLines(bytes, body.unpacked, events);
  checkLines(archive, statement, lines, where, findings);
  findings.holes.hear(statement.node, statement.sequence, lines);
  const uncounted = findings.sums.hear(statement, lines);
  if (uncounted !== undefined) findings.problems.push({ code: 'wrong-events', where, message: uncounted });
  const found = countByClass(lines, vocabulary === vocabularyDigest());
  if (found === undefined || CLASSES.every((name) => (found[name] ?? 0) === (events[name] ?? 0))) return;
  findings.problems.push({ code: 'wrong-events', where, message: 'the body holds other classes than stated' });
}

/** A sender need not have redacted: what its ruleset releases can be asked of every line again. */
function checkLines(
  { checkLine, canJudge = () => false }: Archive,
  { ruleset, vocabulary }: Statement,
  lines: readonly string[],
  where: string,
  findings: Findings,
): void {
  if (checkLine === undefined || ruleset === NO_RULES) return;
  const isOurs = vocabulary === vocabularyDigest();
  for (const [at, line] of lines.entries()) {
    if (!isOurs && !canJudge(ruleset, line)) continue;
    const message = checkLine(ruleset, line);
    if (message !== undefined) {
      findings.problems.push({ code: 'not-released', where, message: `line ${at + 1}: ${message}` });
      return;
    }
    findings.linesChecked += 1;
  }
}

/** `undefined` when a line speaks a vocabulary that is not ours, so that its classes are not known. */
function countByClass(lines: readonly string[], isOurs: boolean): Counts | undefined {
  const counts: Partial<Record<EventClass, number>> = {};
  for (const line of lines) {
    const name = eventOf(line);
    if (isEventName(name)) {
      const { class: eventClass } = EVENTS[name];
      counts[eventClass] = (counts[eventClass] ?? 0) + 1;
    } else if (isOurs) {
      throw new ProtocolError('bad-body', 'a line names an event that the vocabulary does not have');
    } else {
      return undefined;
    }
  }
  return counts;
}

function eventOf(line: string): string {
  const record = recordOf(line);
  if (record === undefined) throw new ProtocolError('bad-body', 'a line is not a JSON object');
  const { event, time } = record;
  if (typeof event === 'string' && Number.isSafeInteger(time)) return event;
  throw new ProtocolError('bad-body', 'a line is not an event with a time');
}
