/**
 * Is every line of a batch what its ruleset releases? A sender cannot be trusted to have redacted, so the collector
 * holds each line against the released schema of the ruleset that the statement names. What is refused is named by
 * line, attribute and problem; a value is never repeated.
 */
import { unpackBody, type VerifiedBatch } from '#protocol/batch.ts';
import { Rejection } from '#protocol/error.ts';
import { recordOf } from '#protocol/line.ts';
import { checkConservation } from '#protocol/statement.ts';
import { spell } from '../redaction-rules/spelling.ts';
import {
  CLASSES,
  ENVELOPE,
  EVENTS,
  isAttributeName,
  isEventName,
  vocabularyDigest,
  type EventClass,
} from '#protocol/vocabulary.ts';

declare const released: unique symbol;

/** A batch that holds nothing but released events, those that it counts. Only {@link checkReleased} makes one. */
export type ReleasedBatch = VerifiedBatch & { readonly [released]: true };

/** What is wrong with a parsed line; `undefined` when it is a released event. */
export type ReleasedValidator = (line: unknown) => undefined | { readonly attribute: string; readonly problem: string };

/** What is released where no rules are in force. */
export const nothingIsReleased: ReleasedValidator = () => ({ attribute: 'event', problem: 'no rules are in force' });

export const OUR_VOCABULARY = vocabularyDigest();

/**
 * Judged by the rules that the statement names, whichever vocabulary they were approved with: vocabularies only grow, so
 * what was released under a former one is read as it was meant. Of a later one we read what we know.
 */
export function checkReleased(validate: ReleasedValidator, batch: VerifiedBatch): ReleasedBatch {
  const { statement } = batch;
  const isOurs = statement.vocabulary === OUR_VOCABULARY;
  const counted = new Map<EventClass, number>();
  for (const [i, line] of unpackBody(batch).entries()) {
    const where = `line ${i + 1}`;
    if (!isOurs && namesTheUnknown(line))
      throw new Rejection('unknown-vocabulary', `${where} names what this collector does not know yet`);
    const name = checkLine(validate, line, where);
    counted.set(name, (counted.get(name) ?? 0) + 1);
  }
  for (const name of CLASSES) {
    const [stated, found] = [statement.events[name] ?? 0, counted.get(name) ?? 0];
    if (stated !== found) throw new Rejection('wrong-events', `${name}: ${stated} stated, ${found} found`);
  }
  const conservation = checkConservation(statement);
  if (conservation !== undefined) throw new Rejection('conservation', conservation.message);
  // oxlint-disable-next-line no-unsafe-type-assertion -- the one place a ReleasedBatch is made
  return batch as ReleasedBatch;
}

/** The class of the event in this line; throws a Rejection that begins with `where` and quotes no value. */
export function checkLine(validate: ReleasedValidator, line: string, where: string): EventClass {
  const record = recordOf(line);
  // One spelling: a key that stands twice, or text between the values, would be stored without having been checked.
  if (record === undefined || spell(record) !== line) {
    throw new Rejection('not-released', `${where} is not JSON in its one spelling`);
  }
  const wrong = validate(record);
  if (wrong !== undefined) {
    // A name that nobody gave is the sender's data as much as a value is.
    const attribute = isKnownName(wrong.attribute) ? wrong.attribute : 'an attribute outside the vocabulary';
    throw new Rejection('not-released', `${where}, ${attribute}: ${wrong.problem}`);
  }
  const name = record['event'];
  if (typeof name !== 'string' || !isEventName(name)) throw new Rejection('not-released', `${where}, event: unknown`);
  return EVENTS[name].class;
}

/** Whether an event or attribute of the line is not in our vocabulary; false for what is no event at all. */
export function namesTheUnknown(line: string): boolean {
  const record = recordOf(line);
  if (record === undefined) return false;
  const { event } = record;
  const isNewEvent = typeof event === 'string' && !isEventName(event);
  return isNewEvent || Object.keys(record).some((name) => !isKnownName(name));
}

const isKnownName = (name: string): boolean => isAttributeName(name) || ENVELOPE.some((key) => key === name);
