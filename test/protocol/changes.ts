/** A change of what detects, and the line-ups that it stands between, for tests and vectors. */
import { lineupDigest, type Change, type Lineup } from '#protocol/change.ts';

export const RULE = '54c3b838-dd2c-4ea2-8673-dc62275a1fd0';
export const BEFORE: Lineup = new Map([
  ['knob rate.deviations', '6'],
  [`rule ${RULE}`, 'a'.repeat(64)],
]);
export const AFTER: Lineup = new Map([
  ['knob rate.deviations', '8'],
  ['suppression nightly-backup', 'b'.repeat(64)],
]);

export const CHANGE: Change = {
  time: 1_790_000_000_000_000,
  who: 'alex',
  reason: 'The backup reads password hashes each night.',
  before: 'a'.repeat(64),
  after: lineupDigest(AFTER),
  changes: 3,
  listed: [
    { how: 'changed', kind: 'knob', name: 'rate.deviations' },
    { how: 'removed', kind: 'rule', name: RULE },
    { how: 'added', kind: 'suppression', name: 'nightly-backup' },
  ],
};
