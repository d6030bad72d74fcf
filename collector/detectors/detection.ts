/**
 * Detection as a whole: evidence in, alerts and stories out.
 *
 *     batch -> every detector -> alerts, in the order of their events -> risk -> stories
 *
 * Pure like its parts: the same evidence in the same order gives the same bytes, however many batches are given at a
 * time and wherever it was stopped and started. A detector that breaks is told about and does not silence the others.
 */
import { alertId, type Alert, type Detector, type EvidenceBatch, type PlacedAlert, type Story } from './detector.ts';
import { ProcessTrees, type Standing } from './process-tree.ts';
import { knobsOf, type Tuning } from './knobs.ts';
import { makeRisk, type Risk } from './risk.ts';
import { memberOf, savedBy } from './saved.ts';
import { Stories } from './stories.ts';
import { suppressionOf, type Suppression } from './suppressions.ts';

export interface Found {
  readonly alerts: readonly PlacedAlert[];
  /** Each as it is now, once. */
  readonly stories: readonly Story[];
}

export interface DetectionOptions {
  readonly detectors: readonly Detector[];
  readonly tuning?: Tuning;
  /** Those in force, asked anew for each alert. */
  readonly suppressions?: () => readonly Suppression[];
  /** What {@link Detection.save} gave. */
  readonly saved?: unknown;
}

export class Detection {
  #detectors: readonly Detector[];
  readonly #trees: ProcessTrees;
  #risk: Risk;
  #stories: Stories;
  #tuning: Tuning;
  readonly #suppressions: () => readonly Suppression[];

  constructor({ detectors, tuning = {}, suppressions = () => [], saved }: DetectionOptions) {
    this.#detectors = detectors;
    this.#tuning = tuning;
    this.#suppressions = suppressions;
    this.#trees = new ProcessTrees(memberOf(saved, 'trees'));
    this.#risk = makeRisk(tuning.risk, memberOf(saved, 'risk'));
    this.#stories = new Stories(tuning.stories, memberOf(saved, 'stories'));
  }

  /** Other rules and knobs from here on; trees, risk and stories go on. `make` is given the detectors as they are. */
  change(tuning: Tuning, make: (before: readonly Detector[]) => readonly Detector[]): void {
    this.#detectors = make(this.#detectors);
    const isOther = (part: 'risk' | 'stories'): boolean =>
      JSON.stringify(knobsOf(part, tuning)) !== JSON.stringify(knobsOf(part, this.#tuning));
    if (isOther('risk')) this.#risk = makeRisk(tuning.risk, savedBy(this.#risk));
    if (isOther('stories')) this.#stories = new Stories(tuning.stories, savedBy(this.#stories));
    this.#tuning = tuning;
  }

  /** `more`: alerts about the batch that no detector finds, such as a body that is gone. */
  observe(batch: EvidenceBatch, more: readonly Alert[] = []): Found {
    const found = this.#detectors.flatMap((detector) =>
      tried(detector, () => detector.observe(batch), batch.receivedAt, batch),
    );
    // In the order of what they are about, whichever detector says it: a process is known before it is accused.
    const alerts = [...more, ...found].toSorted((a, b) => lineOf(a, batch) - lineOf(b, batch));
    const telling = new Telling();
    let next = 0;
    for (const [line, record] of batch.events.entries()) {
      this.#trees.observe(batch.node, record);
      for (; next < alerts.length; next++) {
        const alert = alerts[next];
        if (alert === undefined || lineOf(alert, batch) > line) break;
        this.#tell(alert, telling);
      }
    }
    for (const alert of alerts.slice(next)) this.#tell(alert, telling);
    return telling.found;
  }

  tick(nowUs: number): Found {
    const telling = new Telling();
    for (const detector of this.#detectors) {
      for (const alert of tried(detector, () => detector.tick(nowUs), nowUs)) this.#tell(alert, telling);
    }
    return telling.found;
  }

  #tell(alert: Alert, telling: Telling): void {
    const standing = alert.entity === undefined ? undefined : this.#trees.find(alert.node, alert.entity);
    const suppression = suppressionOf(this.#suppressions(), alert, standing?.program);
    if (suppression !== undefined) {
      telling.alerts.push({ ...alert, story: '', points: 0, suppressedBy: suppression.id });
      return;
    }
    const placed = this.#place(alert, standing, telling);
    for (const risen of this.#risk.observe(placed, standing)) {
      this.#place(risen, risen.rule === 'node' ? undefined : standing, telling);
    }
  }

  #place(alert: Alert, standing: Standing | undefined, telling: Telling): PlacedAlert {
    const told = this.#stories.tell(alert, standing);
    telling.alerts.push(told.alert);
    telling.stories.set(told.story.id, told.story);
    return told.alert;
  }

  /** State as JSON, by part: detectors by their ids, and what is about all of them. */
  save(): ReadonlyMap<string, unknown> {
    return new Map([
      ...this.#detectors.map((detector) => [detector.id, detector.save()] as const),
      ['trees', this.#trees.save()],
      ['risk', this.#risk.save()],
      ['stories', this.#stories.save()],
    ]);
  }
}

class Telling {
  readonly alerts: PlacedAlert[] = [];
  readonly stories = new Map<string, Story>();

  get found(): Found {
    return { alerts: this.alerts, stories: [...this.stories.values()] };
  }
}

/** The last of its events that this batch holds; alerts about none come first. */
function lineOf({ events }: Alert, { logIndex }: EvidenceBatch): number {
  return events.reduce((last, each) => (each.logIndex === logIndex ? Math.max(last, each.line) : last), -1);
}

function tried(detector: Detector, work: () => Iterable<Alert>, now: number, batch?: EvidenceBatch): readonly Alert[] {
  const found: Alert[] = [];
  try {
    for (const alert of work()) found.push(alert);
  } catch (error) {
    found.push(brokenDetector(detector, error, now, batch));
  }
  return found;
}

function brokenDetector(detector: Detector, error: unknown, time: number, batch: EvidenceBatch | undefined): Alert {
  const kind = error instanceof Error ? error.name : 'unknown';
  return {
    id: alertId('evidence', 'broken-detector', batch?.node ?? '', `${detector.id} ${kind}`),
    time,
    node: batch?.node ?? '',
    detector: 'evidence',
    rule: 'broken-detector',
    title: 'A detector is broken',
    severity: 'high',
    // The message may quote what it stumbled over; its kind does not.
    reason: `The detector ${detector.id} failed with ${kind} and did not see everything.`,
    silencedBy: 'a detector that works',
    attack: [],
    events: batch === undefined ? [] : [{ logIndex: batch.logIndex, line: 0 }],
    entity: undefined,
    loss: 0,
  };
}
