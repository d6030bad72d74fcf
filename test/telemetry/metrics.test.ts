/** One source of names: the page is made of it, and what others show and alert on asks for nothing else. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { METRICS, metricsPage } from '../../telemetry/metrics.ts';

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

test('metrics.md says what is measured', async () => {
  await expect(metricsPage()).toMatchFileSnapshot('../../docs/metrics.md');
});

/** Names of ours and of a process in an expression of PromQL. */
const namesIn = (expression: string): readonly string[] =>
  expression
    .replaceAll(/\b(?:by|without) \([^)]*\)/g, '')
    .match(/\b(?:hushwatch|process|nodejs)_[a-z0-9_]+(?=[{[\s)]|$)/g) ?? [];

interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly runbook_url: string };
}

const RULES: { readonly groups: readonly { readonly rules: readonly AlertRule[] }[] } = parse(
  read('deploy/monitoring/prometheus-rules.yaml'),
);
const ALERTS = RULES.groups.flatMap(({ rules }) => rules);

test.each(ALERTS.map((rule) => [rule.alert, rule] as const))(
  'alert %s asks for what is measured and has a runbook',
  (name, rule) => {
    const names = namesIn(rule.expr);
    expect(names).not.toHaveLength(0);
    for (const metric of names) expect([...METRICS.keys()], metric).toContain(metric);
    expect(rule.labels.severity).toMatch(/^(critical|warning)$/);
    const [, anchor] = /\/docs\/operate\.md#([a-z0-9-]+)$/.exec(rule.annotations.runbook_url) ?? [];
    expect(read('docs/operate.md').toLowerCase()).toContain(`\n### ${name.toLowerCase()}\n`);
    expect(anchor).toBe(name.toLowerCase());
  },
);

interface Panel {
  readonly title: string;
  readonly type: string;
  readonly targets?: readonly { readonly expr: string }[];
}

test('the dashboard shows what is measured', () => {
  const { panels }: { readonly panels: readonly Panel[] } = JSON.parse(
    read('deploy/monitoring/grafana-dashboard.json'),
  );
  const shown = panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => [title, expr] as const));
  expect(shown.length).toBeGreaterThan(10);
  for (const [title, expression] of shown) {
    const names = namesIn(expression);
    expect(names, title).not.toHaveLength(0);
    for (const name of names) expect([...METRICS.keys()], title).toContain(name);
  }
});

test.each([
  'refusals.ts',
  'watch.ts',
  'changes.ts',
  'cosigning.ts',
  ...['chain', 'silence', 'canary', 'upgrade', 'detection'].map((name) => `detectors/${name}.ts`),
])('what collector/%s says of Hushwatch itself has a runbook', (file) => {
  const titles = [
    ...read(`collector/${file}`).matchAll(
      /'((?:An? |Evidence |Events |Counters |Released |Redaction |Pseudonyms )[a-z][^'\n]{10,})'/g,
    ),
  ];
  expect(titles).not.toHaveLength(0);
  for (const [, title] of titles) expect(read('docs/operate.md')).toContain(`\n### ${title}\n`);
});
