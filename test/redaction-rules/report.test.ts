/** The pages that reviewers print: nothing in a ruleset becomes markup, nothing is fetched, what is withheld is struck out. */
import { describe, expect, test } from 'vitest';
import { loadPack, STARTER_PACK } from '../../collector/detectors/pack.ts';
import { clearOf, planRules } from '../../collector/detectors/sigma/plan.ts';
import { diffRulesets } from '../../redaction-rules/diff.ts';
import { explainRows, explainText } from '../../redaction-rules/explain.ts';
import { exposure } from '../../redaction-rules/exposure.ts';
import { oracleText } from '../../redaction-rules/oracle.ts';
import { diffReport, explainReport } from '../../redaction-rules/report.ts';
import type { Ruleset } from '../../redaction-rules/ruleset.ts';
import { oracleOf, totalsOf } from '../../collector/detectors/oracle.ts';
import { SHIPPED } from './shipped.ts';
import { smallRuleset } from './small-ruleset.ts';

const { rules, mapping } = loadPack(STARTER_PACK);
const planOf = (ruleset: Ruleset): ReturnType<typeof planRules> =>
  planRules(rules, mapping, clearOf(exposure(ruleset)));
const explained = (ruleset: Ruleset): string => explainReport(ruleset, explainRows(ruleset, planOf(ruleset)));

const HOSTILE = `</style><script src="https://elsewhere.example/x.js">alert(1)</script>' onload="x`;
const hostile = (before: string): Ruleset =>
  smallRuleset({
    top: { reasons: { tried: HOSTILE } },
    attributes: {
      'process.executable.path': { do: 'keep', reason: 'tried', why: HOSTILE },
      'process.user.name': { do: before, why: HOSTILE, ...(before === 'keep' ? { reason: 'tried' } : {}) },
    },
  });

/** Elements by name, from text that is HTML. */
const elements = (page: string): ReadonlySet<string> =>
  new Set([...page.matchAll(/<([a-z][a-z0-9]*)/g)].map((match) => match[1] ?? ''));

describe('a ruleset that would like to be a program', () => {
  const pages = {
    explain: explained(hostile('drop')),
    diff: diffReport(hostile('drop'), hostile('keep'), diffRulesets(hostile('drop'), hostile('keep'))),
  };
  for (const [name, page] of Object.entries(pages)) {
    test(name, () => {
      for (const active of ['script', 'link', 'img', 'iframe', 'object', 'base', 'form'])
        expect(elements(page)).not.toContain(active);
      expect(page).not.toMatch(/<[^>]*\s(?:src|on[a-z]+|style)\s*=/);
      expect([...page.matchAll(/href="([^"]*)"/g)].every((match) => match[1]?.startsWith('#'))).toBe(true);
      expect(page).toContain(`default-src 'none'`);
      expect(page.match(/<\/style>/g)).toHaveLength(1);
    });
  }
  test('is shown as it is written', () => {
    expect(pages.explain).toContain('&lt;/style&gt;&lt;script src=&quot;https://elsewhere.example/x.js&quot;&gt;');
  });
});

for (const { ruleset } of SHIPPED) {
  test(`${ruleset.name}: one row for each attribute of each event, struck out exactly where nothing leaves`, () => {
    const rows = exposure(ruleset);
    const page = explained(ruleset);
    expect(page.match(/<tr class="leaves">/g)).toHaveLength(rows.filter(({ leaves }) => leaves).length);
    expect(page.match(/<tr class="withheld">/g)).toHaveLength(rows.filter(({ leaves }) => !leaves).length);
    expect(page.match(/<s><code>[a-z_.]+<\/code><\/s>/g)).not.toBeNull();
    expect(page).toMatch(/\d+ rules on the node/);
  });
}

test('in text: which rules read what does not leave, and what they can tell', () => {
  const ruleset = smallRuleset({});
  const plan = planOf(ruleset);
  expect(explainText(ruleset, explainRows(ruleset, plan))).toMatch(
    /process\.command_args .*nothing .* rules on the node/,
  );
  const text = oracleText(oracleOf(plan, exposure(ruleset)), totalsOf(plan));
  expect(text).toContain('it is /etc/ld.so.preload (told outright)');
  expect(text).toMatch(/process\.exec: (\d+) rules, at most \1 bits an event/);
});

test('the report holds every example of a difference', () => {
  const [before, after] = [smallRuleset({}), hostile('keep')];
  const rows = diffRulesets(before, after);
  const page = diffReport(before, after, rows);
  expect(page.match(/<tbody>[^]*?<\/tbody>/)?.[0].match(/<tr>/g)).toHaveLength(rows.length);
  expect(page).toContain('<em>nothing</em>');
});
