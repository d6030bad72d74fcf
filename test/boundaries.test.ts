/** Who may import whom, and why. The table is DESIGN 3 and 11 as a test; planted breaches test the test. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

interface Boundary {
  readonly from: string;
  readonly may: readonly string[];
  readonly because: string;
}

/** The longest `from` that a file starts with decides. */
const BOUNDARIES: readonly Boundary[] = [
  {
    from: 'hushwatch.ts',
    may: ['deploy/start.ts', 'deploy/enroll.ts', 'deploy/sides.ts', 'agent/', 'collector/', 'redaction-rules/'],
    because: 'it only dispatches',
  },
  {
    from: 'protocol/',
    may: ['protocol/', 'node:crypto', 'node:zlib'],
    because: 'strangers verify with it; it must stand alone',
  },
  {
    from: 'agent/',
    may: [
      'protocol/',
      'agent/',
      'redaction-rules/',
      'collector/detectors/sigma/',
      'collector/detectors/pack.ts',
      'config/',
      'service/',
      'telemetry/',
      'node:',
      'yaml',
      'pino',
      'systeminformation',
    ],
    because: 'every import here is attack surface on a node',
  },
  {
    from: 'agent/shipper/',
    may: ['protocol/', 'agent/shipper/', 'agent/changed.ts', 'config/', 'service/', 'node:', 'ws', 'pino'],
    because: 'what reaches the network must not be able to see raw events or hold the signing key',
  },
  {
    from: 'redaction-rules/',
    may: ['protocol/vocabulary.ts', 'redaction-rules/', 'node:crypto', 'yaml', 're2js'],
    because: 'pure: no clock, no file, no network; a reviewer reads all of it',
  },
  {
    from: 'redaction-rules/main.ts',
    may: ['protocol/', 'redaction-rules/', 'collector/detectors/', 'node:'],
    because: 'the command line may read the files it is given, rules that run on nodes among them',
  },
  {
    from: 'redaction-rules/explain.ts',
    may: ['protocol/vocabulary.ts', 'redaction-rules/', 'collector/detectors/sigma/plan.ts'],
    because: 'says which detection rules read an attribute',
  },
  {
    from: 'redaction-rules/oracle.ts',
    may: ['collector/detectors/oracle.ts'],
    because: 'puts into words what is computed of detection rules',
  },
  {
    from: 'redaction-rules/released-lines.ts',
    may: ['protocol/', 'node:'],
    because: 'reads recorded evidence, which was released already',
  },
  {
    from: 'redaction-rules/report-tables.ts',
    may: ['redaction-rules/', 'collector/dashboard/html.ts', 'collector/detectors/oracle.ts'],
    because: 'pages of what was measured, and of what detection rules can tell',
  },
  {
    from: 'redaction-rules/report.ts',
    may: ['protocol/vocabulary.ts', 'redaction-rules/', 'collector/dashboard/html.ts'],
    because: 'HTML is escaped in one place',
  },
  {
    from: 'redaction-rules/sealed-keys.ts',
    may: ['protocol/', 'redaction-rules/keys.ts', 'hpke'],
    because: 'shared roots travel sealed (RFC 9180); the library is one file without dependencies',
  },
  {
    from: 'redaction-rules/authority.ts',
    may: ['protocol/', 'redaction-rules/keys.ts', 'redaction-rules/sealed-keys.ts', 'node:'],
    because: 'the privacy authority keeps its roots in files',
  },
  {
    from: 'redaction-rules/approve.ts',
    may: ['protocol/', 'redaction-rules/', 'collector/detectors/pack.ts', 'node:'],
    because: 'reviewers approve rulesets and packs; it writes the files that it is told to',
  },
  {
    from: 'redaction-rules/verify.ts',
    may: ['protocol/', 'redaction-rules/', 'collector/detectors/pack.ts', 'node:'],
    because: 'a stranger checks an approval from files and public keys',
  },
  {
    from: 'collector/',
    may: [
      'protocol/',
      'collector/',
      'redaction-rules/',
      'config/',
      'service/',
      'telemetry/',
      'node:',
      'ws',
      'yaml',
      'pino',
      'ajv',
      '@duckdb/node-api',
    ],
    because: 'must not see how agents are built',
  },
  {
    from: 'collector/outputs/',
    may: [
      'collector/outputs/',
      'collector/state.ts',
      'collector/findings.ts',
      'collector/config.ts',
      'config/yaml.ts',
      'collector/detectors/',
      'node:',
      'pino',
    ],
    because: 'what speaks to other systems sees stories and nothing else',
  },
  {
    from: 'collector/outputs/otlp.ts',
    may: [
      'collector/outputs/',
      'collector/state.ts',
      'collector/findings.ts',
      'collector/detectors/',
      'node:',
      '@opentelemetry/',
    ],
    because: 'loaded only when it is configured',
  },
  {
    from: 'collector/detectors/',
    may: ['protocol/', 'collector/detectors/', 'config/suggest.ts', 'node:crypto', 'yaml', 're2js'],
    because: 'pure, so that replay is honest and the node can run them',
  },
  {
    from: 'collector/detectors/pack.ts',
    may: ['protocol/', 'collector/detectors/', 'config/suggest.ts', 'node:'],
    because: 'reads a directory of rules',
  },
  {
    from: 'collector/detectors/main.ts',
    may: [
      'protocol/',
      'collector/detectors/',
      'collector/state.ts',
      'collector/findings.ts',
      'redaction-rules/',
      'node:',
    ],
    because: 'the command line may read the files it is given',
  },
  {
    from: 'collector/dashboard/',
    may: [
      'protocol/',
      'collector/dashboard/',
      'collector/view.ts',
      'collector/state.ts',
      'collector/findings.ts',
      'collector/detectors/detector.ts',
      'collector/suppressions.ts',
      'collector/tokens.ts',
      'collector/triage.ts',
      'collector/tuning-view.ts',
      'collector/backtests.ts',
      'collector/questions.ts',
      'collector/explorer/command.ts',
      'collector/explorer/search.ts',
      'collector/detectors/cohort-report.ts',
      'collector/detectors/sigma/rule.ts',
      'collector/tuning/change.ts',
      'collector/tuning/detector-report.ts',
      'collector/tuning/try-change.ts',
      'yaml',
      'collector/tuning/suggest.ts',
      'collector/privacy-view.ts',
      'collector/detectors/canary.ts',
      'redaction-rules/exposure.ts',
      'redaction-rules/explain.ts',
      'redaction-rules/difference.ts',
      'redaction-rules/ruleset.ts',
      'node:',
      'ajv',
    ],
    because: 'shows what the state holds; writes verdicts and the record of who changed what, both through the view',
  },
  { from: 'collector/dashboard/static/', may: ['collector/dashboard/static/'], because: 'runs in a browser' },
  {
    from: 'telemetry/',
    may: ['telemetry/', 'node:'],
    because: 'says which metrics there are; what sends them is loaded only when it is configured',
  },
  {
    from: 'telemetry/telemetry.ts',
    may: ['telemetry/', 'node:', '@opentelemetry/'],
    because: 'loaded only when it is configured',
  },
  {
    from: 'config/',
    may: ['protocol/error.ts', 'protocol/note.ts', 'config/', 'node:fs', 'node:path', 'yaml'],
    because: 'how configurations are read is the same on both sides, and knows neither',
  },
  {
    from: 'config/suggest.ts',
    may: [],
    because: 'pure: rules that run on nodes use it too',
  },
  {
    from: 'service/',
    may: ['service/', 'config/yaml.ts', 'node:'],
    because: 'what every process needs to be a service, and nothing else',
  },
  {
    from: 'deploy/deb/',
    may: [
      'agent/build.ts',
      'agent/config.ts',
      'agent/shipper/config.ts',
      'collector/config.ts',
      'collector/witness/config.ts',
      'config/',
      'deploy/deb/',
      'node:',
      'rolldown',
    ],
    because: 'makes packages of what is there; none of it is in them',
  },
  {
    from: 'deploy/',
    may: [
      'protocol/',
      'agent/',
      'collector/',
      'redaction-rules/approve.ts',
      'redaction-rules/ruleset.ts',
      'config/',
      'service/',
      'deploy/',
      'node:',
      'yaml',
    ],
    because: 'puts the parts together on one machine',
  },
];

/** They load what was asked for, and nothing else. */
const LOADERS: readonly string[] = ['hushwatch.ts', 'collector/outputs/outputs.ts', 'telemetry/when-asked.ts'];

function moduleFiles(): string[] {
  const listed = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '*.ts', '*.js', '*.mjs'], {
    cwd: root,
    encoding: 'utf8',
  });
  return listed
    .split('\n')
    .filter(
      (file) => file !== '' && !file.startsWith('test/') && file !== 'vitest.config.ts' && existsSync(join(root, file)),
    );
}

function importsOf(source: string): string[] {
  const found = source.matchAll(/^(?:import|export)\s[^'"`;]*?from\s+'([^']+)'|^import\s+'([^']+)'/gm);
  return [...found].map((match) => match[1] ?? match[2] ?? '');
}

function targetOf(file: string, specifier: string): string {
  if (specifier.startsWith('#protocol/')) return specifier.slice(1);
  if (specifier.startsWith('.')) return normalize(join(dirname(file), specifier));
  return specifier;
}

function breaches(file: string, source: string): string[] {
  const boundary = BOUNDARIES.filter((row) => file.startsWith(row.from)).toSorted(
    (a, b) => b.from.length - a.from.length,
  )[0];
  if (boundary === undefined) return [`${file} is in no row of the boundaries table`];
  const found = importsOf(source)
    .map((specifier) => targetOf(file, specifier))
    .filter(
      (target) =>
        !boundary.may.some((allowed) => (/[/:]$/.test(allowed) ? target.startsWith(allowed) : target === allowed)),
    )
    .map((target) => `${file} imports ${target}; ${boundary.from}: ${boundary.because}`);
  if (!LOADERS.includes(file) && /\bimport\s*\(/.test(source))
    found.push(`${file} imports at run time; only ${LOADERS.join(' and ')} may`);
  if (!/^(#!.*\n)?\/\*\*/.test(source)) found.push(`${file} has no header that says what it is for`);
  return found;
}

test('every import stays inside its boundary', () => {
  const files = moduleFiles();
  expect(files.length).toBeGreaterThan(40);
  expect(files.flatMap((file) => breaches(file, readFileSync(join(root, file), 'utf8')))).toEqual([]);
});

test('every row of the table is about something that exists', () => {
  expect(BOUNDARIES.filter((row) => !existsSync(join(root, row.from))).map((row) => row.from)).toEqual([]);
});

test('a breach would be noticed', () => {
  const planted = (target: string): string => `/** Planted. */\nimport { x } from '${target}';\n`;
  expect(breaches('agent/planted.ts', planted('../collector/pipeline.ts'))).toEqual([
    'agent/planted.ts imports collector/pipeline.ts; agent/: every import here is attack surface on a node',
  ]);
  expect(breaches('agent/shipper/planted.ts', planted('../event.ts'))).toHaveLength(1);
  expect(breaches('agent/shipper/planted.ts', planted('../identity.ts'))).toHaveLength(1);
  expect(breaches('protocol/planted.ts', planted('node:fs'))).toHaveLength(1);
  expect(breaches('protocol/planted.ts', planted('ws'))).toHaveLength(1);
  expect(breaches('redaction-rules/planted.ts', planted('node:fs'))).toHaveLength(1);
  expect(breaches('collector/detectors/planted.ts', planted('../state.ts'))).toHaveLength(1);
  expect(breaches('elsewhere/planted.ts', '/** Planted. */\n')).toHaveLength(1);
  expect(breaches('agent/planted.ts', "/** Planted. */\nconst m = await import('node:net');\n")).toHaveLength(1);
  expect(breaches('agent/planted.ts', 'const a = 1;\n')).toHaveLength(1);
});
