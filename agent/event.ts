/**
 * A raw event: one observed fact before redaction. It lives in the agent's memory only.
 *
 * Nothing that holds one may be written, logged, counted by value or put into an error message.
 */
import type { AttributeName, EventName, Value } from '#protocol/vocabulary.ts';
import type { ExporterMark } from './sources/exporters/position.ts';
import type { JournalPosition } from './sources/journal/position.ts';

export type Attributes = { readonly [name in AttributeName]?: Value | undefined };

export interface RawEvent {
  readonly name: EventName;
  /** Microseconds since 1970, UTC. */
  readonly time: number;
  /** Decoded from a frame: the sensor counts it too. Absent on what the agent found out by itself. */
  readonly fromSensor?: true;
  /** How far the journal is told once this event is accounted for. */
  readonly journal?: JournalPosition;
  /** The same for the file of another exporter. */
  readonly exporter?: ExporterMark;
  readonly attributes: Attributes;
}
