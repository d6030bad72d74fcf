/** The units as systemd reads them: what is exposed is within its bound, and every directive that is not set is explained. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const fileOf = (process: string): string => join(ROOT, `deploy/systemd/hushwatch-${process}.service`);

interface Row {
  readonly set: boolean | null;
  readonly name: string;
}

const security = (process: string, ...options: readonly string[]): string =>
  spawnSync('systemd-analyze', ['security', '--offline=true', ...options, fileOf(process)], { encoding: 'utf8' })
    .stdout;

describe.each([
  ['agent', 0.5],
  ['shipper', 1.3],
  ['sensor', 0.9],
  ['collector', 1.5],
] as const)('hushwatch-%s', (process, most) => {
  const text = readFileSync(fileOf(process), 'utf8');

  test('exposure is within its bound', () => {
    const found = /exposure level for \S+: ([\d.]+)/.exec(security(process))?.[1];
    expect(Number(found)).toBeLessThanOrEqual(most);
  });

  test('what is not set is explained', () => {
    const rows: readonly Row[] = JSON.parse(security(process, '--json=short'));
    expect(rows.length).toBeGreaterThan(50);
    const [, explained = ''] = text.split('# Not set, and why:\n');
    const unset = rows.filter(({ set }) => set === false).map(({ name }) => /^\w+=/.exec(name)?.[0] ?? name);
    const silent = [...new Set(unset)].filter((name) => !explained.includes(name));
    expect(silent).toEqual([]);
  });
});

test.each(['agent', 'shipper', 'collector'])(
  'hushwatch-%s reads its configuration again when it is asked to',
  (process) => {
    const text = readFileSync(fileOf(process), 'utf8');
    expect(text).toMatch(/^ExecReload=\+\/bin\/sh -c 'kill -HUP \$\{MAINPID\}'$/m);
    expect(text).toMatch(/^Type=notify$/m);
  },
);

test.each(['agent', 'shipper', 'sensor', 'collector', 'witness'])(
  'hushwatch-%s is started again for ever, but for mistakes that only a person can mend',
  (process) => {
    const text = readFileSync(fileOf(process), 'utf8');
    expect(text).toMatch(/^StartLimitIntervalSec=0$/m);
    expect(text).toMatch(/^Restart=always\nRestartSec=5s$/m);
    expect(text).toMatch(/^RestartPreventExitStatus=2 3$/m);
  },
);
