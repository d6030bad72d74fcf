/** Canaries: none comes out of the shipped rules; one that does is named, and stops what leaves. */
import { describe, expect, test } from 'vitest';
import { Canaries } from '../../agent/canary.ts';
import type { RawEvent } from '../../agent/event.ts';
import type { Gate } from '../../agent/gate.ts';
import { compileBound } from '../../collector/detectors/sigma/compile.ts';
import { compileRuleset, type Redactor } from '../../redaction-rules/compile.ts';
import type { Ruleset } from '../../redaction-rules/ruleset.ts';
import { SHIPPED } from '../redaction-rules/shipped.ts';
import { KEYS, smallRuleset } from '../redaction-rules/small-ruleset.ts';

const matcher = compileBound([]);
const gateOf = (ruleset: Ruleset): Gate => ({ matcher, redactor: compileRuleset(ruleset, KEYS) });

interface Heard {
  readonly event: RawEvent;
  readonly leaks: readonly string[];
}

/** The first song. */
async function hear(canaries: Canaries): Promise<Heard> {
  const stop = new AbortController();
  let leaks: readonly string[] = [];
  for await (const [event] of canaries.sing((found) => (leaks = found), stop.signal)) {
    stop.abort();
    if (event !== undefined) return { event, leaks };
  }
  throw new Error('no song');
}

/** A redactor that lets one attribute pass as it is, as a mistake in ours might. */
function leaking(attribute: string, { redactor }: Gate): Redactor {
  return {
    ...redactor,
    redact: (event) => {
      const released = redactor.redact(event);
      const value = JSON.stringify(event.attributes[attribute]);
      return released && { ...released, line: `${released.line.slice(0, -1)},"x":${value}}` };
    },
  };
}

const exec: RawEvent = { name: 'process.exec', time: 1e15, attributes: { 'process.pid': 7 } };
const stopped: RawEvent = { name: 'hushwatch.stop', time: 1e15, attributes: { 'hushwatch.component': 'agent' } };

for (const { ruleset } of SHIPPED) {
  test(`${ruleset.name}: thousands are tried, none comes out`, async () => {
    const { event, leaks } = await hear(new Canaries(ruleset, gateOf(ruleset)));
    expect(leaks).toEqual([]);
    expect(event).toMatchObject({
      name: 'hushwatch.canary',
      attributes: { 'hushwatch.canary.leaked': 0, 'hushwatch.canary.leaks': [] },
    });
    expect(event.attributes['hushwatch.canary.tried']).toBeGreaterThan(1_000);
    expect(event.fromSensor).toBeUndefined();
  });
}

test('the number tried is that of the rules, whatever was drawn', async () => {
  const ruleset = smallRuleset({});
  const numbers = new Set<unknown>();
  for (let i = 0; i < 3; i++) {
    const { event } = await hear(new Canaries(ruleset, gateOf(ruleset)));
    numbers.add(event.attributes['hushwatch.canary.tried']);
  }
  expect(numbers.size).toBe(1);
});

describe('a redactor that lets something through', () => {
  const places = ['process.command_args', 'file.path', 'user.name', 'process.user.id', 'process.ancestors'];
  test.each(places)('%s is named, and its value is not', async (attribute) => {
    const ruleset = smallRuleset({});
    const gate = gateOf(ruleset);
    const canaries = new Canaries(ruleset, { ...gate, redactor: leaking(attribute, gate) });
    const { event, leaks } = await hear(canaries);
    expect(leaks.length).toBeGreaterThan(0);
    expect(event.attributes['hushwatch.canary.leaked']).toBe(leaks.length);
    for (const place of leaks) expect(place).toMatch(new RegExp(`^[a-z._]+ ${attribute.replaceAll('.', '\\.')}$`));
  });

  test('releases nothing any more but what is about ourselves', async () => {
    const ruleset = smallRuleset({});
    const gate = gateOf(ruleset);
    const canaries = new Canaries(ruleset, { ...gate, redactor: leaking('file.path', gate) });
    const { redactor } = canaries;
    expect(redactor.redact(exec)).toBeDefined();
    const { event } = await hear(canaries);
    expect(redactor.redact(exec)).toBeUndefined();
    expect(redactor.redact(stopped)).toBeDefined();
    expect(redactor.redact(event)).toBeDefined();
  });
});

test('a ruleset that tells something as it is is not blamed for it', async () => {
  const ruleset = smallRuleset({
    attributes: { 'error.type': { do: 'keep' }, 'systemd.unit': { do: 'mask', patterns: ['[0-9]{9}'] } },
  });
  expect((await hear(new Canaries(ruleset, gateOf(ruleset)))).leaks).toEqual([]);
});
