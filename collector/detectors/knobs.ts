/**
 * The knobs of the baselines: every one once, with its meaning, its unit and its bounds. `collector.yaml` takes them
 * under `detectors`, by these names; the documentation is made of this table.
 */
export interface Knob {
  readonly says: string;
  readonly fallback: number;
  readonly least: number;
  readonly most: number;
  /** What a greater number does to how often somebody is called. */
  readonly more: 'louder' | 'quieter' | 'other';
}

const knob = (says: string, fallback: number, least: number, most: number, more: Knob['more'] = 'quieter'): Knob => ({
  ...{ says, fallback, least, most },
  more,
});

const relearn = knob('Hours after an upgrade in which what is new only counts as informational.', 6, 0, 720);

export const KNOBS = {
  'first-seen': {
    learning_hours: knob('Hours that a node is watched before anything is new.', 24, 0, 2_160),
    habits: knob('Things remembered for each node; those not seen for longest are forgotten.', 5_000, 100, 100_000),
    alerts_an_hour: knob('Alerts an hour for each node; more are left out.', 20, 1, 1_000, 'louder'),
    relearn_hours: relearn,
  },
  rarity: {
    rare_below: knob('Times, decayed, that something may have happened and still be rare.', 1.5, 1, 100, 'louder'),
    half_life_days: knob('Days in which what happened counts half.', 7, 1, 365),
    shapes: knob('Kinds of deeds counted for each node; the rarest are forgotten.', 2_000, 100, 50_000, 'other'),
    alerts_an_hour: knob('Alerts an hour for each node; more are left out.', 10, 1, 1_000, 'louder'),
    relearn_hours: relearn,
  },
  rate: {
    deviations: knob('Robust standard deviations (1.4826 times the MAD) above the median that are normal.', 6, 2, 100),
    learning_hours: knob('Hours of a node that must be known before a rate can be too high.', 48, 3, 168),
    least_events: knob('Fewer events an hour than this are never too many.', 60, 1, 1_000_000),
    least_mebibytes: knob('Less MiB an hour than this is never too much.', 256, 1, 1_000_000),
    relearn_hours: relearn,
  },
  cohort: {
    odd_share: knob(
      'Share of a cohort that may differ from the others before it is the cohort that changes.',
      0.15,
      0,
      0.5,
      'louder',
    ),
    deviations: knob('Robust standard deviations from the median of the peers that are normal.', 8, 2, 100),
    learning_hours: knob('Hours of which differences are taken as given.', 24, 1, 720),
    patience_hours: knob('Hours to wait for nodes that are late, before the others are compared.', 1, 0, 48, 'other'),
    relearn_hours: relearn,
  },
  lineage: {
    margin_bits: knob('Bits of surprise beyond what chains on the node usually have.', 6, 1, 64),
    least_bits: knob('A chain with fewer bits is never improbable.', 18, 1, 128),
    half_life_days: knob('Days in which what was seen counts half.', 14, 1, 365),
    learning_hours: knob('Hours that a node is watched before a chain can be improbable.', 24, 0, 2_160),
    relearn_hours: relearn,
  },
  risk: {
    half_life_hours: knob('Hours in which points fade to half.', 6, 0.1, 720, 'louder'),
    tree_points: knob(
      'Points of one process tree that alert: a low finding gives 4, an informational one 1.',
      12,
      2,
      1_000,
    ),
    session_points: knob('Points of one log-in session that alert.', 16, 2, 1_000),
    node_points: knob('Points of one node that alert.', 40, 2, 10_000),
  },
  stories: {
    gap_minutes: knob('Minutes without an alert after which the next one begins another story.', 30, 1, 1_440, 'other'),
    longest_hours: knob(
      'Hours after which a story ends, however close its alerts follow one another.',
      6,
      1,
      168,
      'other',
    ),
    alerts_per_day: knob(
      'Stories shown a day, on average, the best by score; 0 shows all from medium on.',
      0,
      0,
      10_000,
      'louder',
    ),
  },
} as const satisfies Readonly<Record<string, Readonly<Record<string, Knob>>>>;

export type Tuned = keyof typeof KNOBS;
export type KnobsOf<D extends Tuned> = { readonly [K in keyof (typeof KNOBS)[D]]: number };
/** As in the configuration: what is left out has its default. */
export type Tuning = { readonly [D in Tuned]?: Partial<KnobsOf<D>> };

export function knobsOf<D extends Tuned>(detector: D, tuning: Tuning): KnobsOf<D> {
  const table: Readonly<Record<string, Knob>> = KNOBS[detector];
  const given: Readonly<Record<string, number>> = { ...tuning[detector] };
  const values = Object.entries(table).map(([name, { fallback }]) => [name, given[name] ?? fallback]);
  // oxlint-disable-next-line no-unsafe-type-assertion -- made of the table that the type is made of
  return Object.fromEntries(values) as KnobsOf<D>;
}

export const isTuned = (name: string): name is Tuned => Object.hasOwn(KNOBS, name);

/** The reference, for the documentation. */
export function describeKnobs(): string {
  return Object.entries(KNOBS)
    .flatMap(([detector, knobs]) => [
      `${detector}:`,
      ...Object.entries(knobs).map(([name, { says, fallback }]) => `  ${name}: ${fallback}\n      ${says}`),
    ])
    .join('\n');
}
