/** A filter of one's own holds for what nodes matched without it, as far as what it reads leaves them. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AttributeName } from '#protocol/vocabulary.ts';
import { makeDetectors } from '../../collector/detectors/detectors.ts';
import { loadPack, STARTER_PACK } from '../../collector/detectors/pack.ts';
import { narrowingIn } from '../../collector/narrowed.ts';
import { loadRulepacks } from '../../collector/rulepacks.ts';
import type { ExposureRow } from '../../redaction-rules/exposure.ts';
import { exec, Sender, START } from './detectors/evidence.ts';

const RULE = loadPack(STARTER_PACK).rules.find(({ file }) => file === 'miner.yml');
const FILTER = `title: Not the updater
id: 00000000-0000-4000-8000-000000000009
logsource: { product: linux, category: process_creation }
filter: { rules: [${RULE?.id ?? ''}], it: { 'Image|endswith': /updater }, condition: not it }
`;

let packs: string;
beforeAll(() => {
  packs = mkdtempSync(join(tmpdir(), 'hushwatch-narrowed-'));
  mkdirSync(join(packs, 'own'));
  writeFileSync(join(packs, 'own/filter.yml'), FILTER);
});
afterAll(() => rmSync(packs, { recursive: true }));

const row = (attribute: AttributeName): ExposureRow => ({
  ...{ event: 'process.exec', attribute, sensitivity: 'system', do: 'path', leaves: true },
  ...{ summary: '', why: '', for: [], reason: undefined },
});

/** Programs that the rule was told of, when nodes said it matched. */
function told(leaving: readonly AttributeName[]): readonly unknown[] {
  const held = loadRulepacks(packs);
  const exposure = (): readonly ExposureRow[] => leaving.map(row);
  const detectors = makeDetectors({ pack: held.rules, clearFor: () => new Set(), ...narrowingIn(held, { exposure }) });
  const matched = { 'detection.rules': [RULE?.id ?? ''] };
  const events = ['/opt/updater', '/opt/xmrig'].map((path, i) =>
    exec(START + i, path, { ...matched, 'process.entity.id': String(i) }),
  );
  const batch = new Sender('node-1').send(events);
  return detectors
    .flatMap((detector) => [...detector.observe(batch)])
    .flatMap(({ rule, events: [at] }) =>
      rule === RULE?.id ? [events[at?.line ?? 9]?.['process.executable.path']] : [],
    );
}

test('what the filter leaves out is not told', () => {
  expect(told(['process.executable.path', 'error.type'])).toEqual(['/opt/xmrig']);
});

test('where the filter reads what does not leave, the node’s word counts', () => {
  expect(told(['error.type'])).toEqual(['/opt/updater', '/opt/xmrig']);
});
