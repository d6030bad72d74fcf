/** What a reviewer looks at, made of the shipped rules and a change to them; canaries of one node came out. */
import { readFileSync } from 'node:fs';
import { diffRulesets } from '../../../redaction-rules/diff.ts';
import { explainRows } from '../../../redaction-rules/explain.ts';
import { parseRuleset, type Ruleset } from '../../../redaction-rules/ruleset.ts';
import type { PrivacyView } from '../../../collector/privacy-view.ts';
import type { ApprovalRow } from '../../../collector/state.ts';

const FILE = new URL('../../../redaction-rules/rulesets/generic-linux.yaml', import.meta.url);
const TEXT = readFileSync(FILE, 'utf8');
const CHANGED = TEXT.replace(/^version: .*$/m, 'version: 2').replace(
  /^ {2}process\.pid: .*$/m,
  '  process.pid: { do: drop, why: Not needed. }',
);
export const BEFORE = parseRuleset(TEXT, 'before.yaml');
export const AFTER = parseRuleset(CHANGED, 'after.yaml');
const HELD: readonly Ruleset[] = [BEFORE, AFTER];
const PACK = 'b'.repeat(64);

const approval = (
  logIndex: number,
  { name, version, digest }: Pick<Ruleset, 'name' | 'version' | 'digest'>,
): ApprovalRow => ({
  ...{ logIndex, kind: digest === PACK ? 'rulepack' : 'ruleset', name, version, role: 'generic', digest },
  ...{ vocabulary: 'c'.repeat(64), signers: ['reviewer-1', 'reviewer-2'] },
});

export function fakePrivacy(now: number, hostile: string, isEmpty: boolean): PrivacyView {
  const approvals = isEmpty
    ? []
    : [approval(0, BEFORE), approval(1, { name: 'rules', version: 1, digest: PACK }), approval(812, AFTER)];
  const find = (digest: string): Ruleset | undefined => HELD.find((ruleset) => ruleset.digest === digest);
  const approved = (logIndex: number): ApprovalRow | undefined => approvals.find((row) => row.logIndex === logIndex);
  return {
    inForce: () => [
      { node: 'alpha', kind: 'rulepack', digest: PACK, since: now - 9e9 },
      { node: 'alpha', kind: 'ruleset', digest: AFTER.digest, since: now - 3e9 },
      { node: 'beta', kind: 'ruleset', digest: '0'.repeat(64), since: now - 3e9 },
    ],
    approvals: () => approvals,
    note: async (logIndex) =>
      approved(logIndex) && Buffer.from(`hushwatch/approval/v1\nname ${hostile}\n\n\u2014 reviewer-1 AAAA\n`),
    proof: async (logIndex) => approved(logIndex) && `c2sp.org/tlog-proof@v1\nindex ${logIndex}\n\ncheckpoint\n`,
    holds: (digest) => find(digest) !== undefined,
    explained: (digest) => {
      const ruleset = find(digest);
      return ruleset && { ruleset, rows: explainRows(ruleset, []) };
    },
    differences: (one, other) => {
      const [before, after] = [find(one), find(other)];
      return before && after && { before, after, rows: diffRulesets(before, after) };
    },
    canaries: () =>
      new Map([
        ['alpha', { at: now - 60e6, tried: 1728, leaked: 0, leaks: [] }],
        ['beta', { at: now - 3e9, tried: 1728, leaked: 2, leaks: [`process.exec ${hostile}`] }],
      ]),
  };
}
