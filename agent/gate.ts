/** The gate: matching, then redaction. Real events, previews and canaries pass through the same lines. */
import type { Matcher } from '../collector/detectors/sigma/compile.ts';
import type { Redactor } from '../redaction-rules/compile.ts';
import type { RawEvent } from './event.ts';

export interface Gate {
  /** Approved rules that need what is not released; only their names leave. */
  readonly matcher: Matcher;
  readonly redactor: Redactor;
}

/** The event with the names of the rules that matched it, which is what the redactor gets. */
export const withMatches = (event: RawEvent, rules: readonly string[]): RawEvent =>
  rules.length === 0 ? event : { ...event, attributes: { ...event.attributes, 'detection.rules': rules } };
