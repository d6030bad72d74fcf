/** Redactor and validator are two halves: what one writes the other accepts, and nothing else. */
import { Ajv } from 'ajv';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ATTRIBUTES, EVENTS, isAttributeName, type AttributeName } from '#protocol/vocabulary.ts';
import { compileRuleset } from '../../redaction-rules/compile.ts';
import { compileReleasedValidator, releasedSchema } from '../../redaction-rules/released-schema.ts';
import { EVENT_NAMES, rawEvent } from './raw-events.ts';
import { SHIPPED } from './shipped.ts';
import { KEYS, smallRuleset } from './small-ruleset.ts';

const everyTransform = smallRuleset({
  attributes: {
    'process.user.name': { do: 'truncate-address', reason: 'test' },
    'process.command_args': { do: 'argv', scope: 'node', template: 'none', values: 'drop' },
    'process.parent.command_args': { do: 'count' },
    'process.ancestors': { do: 'mask', patterns: ['[a-z]+'], reason: 'test' },
    'process.working_directory': { do: 'length' },
    'network.peer.address': { do: 'truncate-address', keep: ['private'], reason: 'test' },
    'network.local.address': { do: 'prefix', scope: 'cohort', keep: ['link-local', 'multicast'], reason: 'test' },
    'system.cpu.utilization': { do: 'noise', quantum: 0.1, scale: 1, window: '1h' },
    'system.uptime': { do: 'noise', quantum: 60, scale: 600, window: '1h', scope: 'fleet' },
    'process.user.id': { do: 'allow', values: ['0-999'], reason: 'test' },
    'host.interfaces': { do: 'pseudonym', scope: 'fleet', length: 8 },
    'file.path': { do: 'path', scope: 'node', template: 'none' },
    'host.name': { do: 'keep', reason: 'test' },
  },
  top: {
    reasons: { test: 'A test.' },
    paths: { none: { readable: ['/tmp/{any}', '/home/{user}/{names}', '/n/{number}/x', '/a/{rest}'] } },
  },
});

const RULESETS = [...SHIPPED.map(({ ruleset }) => ruleset), everyTransform];

for (const ruleset of RULESETS) {
  describe(ruleset.name, () => {
    const accepts = compileReleasedValidator(ruleset);
    const bySchema = new Ajv({ strict: false }).compile(releasedSchema(ruleset));

    for (const name of EVENT_NAMES) {
      // What a sum tells is no rendering of a value: see sums.test.ts.
      if (name === 'hushwatch.sum' && ruleset.sums.length > 0) continue;
      test(`${name}: what the redactor releases is accepted`, () => {
        const redactor = compileRuleset(ruleset, KEYS);
        fc.assert(
          fc.property(rawEvent(name), (event) => {
            const line = redactor.redact(event)?.line ?? '';
            expect(accepts(line)).toBeUndefined();
            const parsed: unknown = JSON.parse(line);
            expect(accepts(parsed)).toBeUndefined();
            expect(bySchema(parsed), JSON.stringify(bySchema.errors)).toBe(true);
            expect(line).toMatch(/^[\x20-\x7e]*$/);
          }),
          { numRuns: name === 'process.exec' ? 300 : 25 },
        );
      });
    }

    test('an attribute that the ruleset does not release is refused, and its value not repeated', () => {
      const redactor = compileRuleset(ruleset, KEYS);
      for (const [name, rules] of ruleset.events) {
        const line = redactor.redact({ name, time: 0, attributes: {} })?.line ?? '';
        for (const attribute of Object.keys(ATTRIBUTES).filter(isAttributeName)) {
          if (rules.get(attribute)?.do !== 'drop' && rules.has(attribute)) continue;
          const answer = accepts(line.replace('}', `,"${attribute}":"hunter2"}`));
          expect(answer?.attribute, `${name} ${attribute}`).toBe(attribute);
          expect(JSON.stringify(answer)).not.toContain('hunter2');
        }
      }
    });

    test('a raw value in place of a redacted one is refused, and not repeated', () => {
      for (const [name, rules] of ruleset.events) {
        for (const [attribute, rule] of rules) {
          if (['keep', 'mask', 'length', 'count', 'drop'].includes(rule.do)) continue;
          const raw = RAW[attribute] ?? rawOf(attribute);
          if (raw === undefined) continue;
          const answer = accepts({ event: name, time: 0, [attribute]: raw });
          expect(answer?.attribute, `${name} ${attribute} ${JSON.stringify(raw)}`).toBe(attribute);
          expect(JSON.stringify(answer)).not.toContain('hunter2');
        }
      }
    });
  });
}

const RAW: Readonly<Partial<Record<AttributeName, unknown>>> = {
  'process.command_args': ['mysql', '-phunter2'],
  'process.ancestors': ['/home/hunter2/x'],
  'host.interfaces': ['hunter2'],
  'process.linux.cgroup': '/user.slice/hunter2',
  'network.peer.address': '203.0.113.7',
  'network.local.address': '2001:db8::1',
};

/** A value that no rule but keep and mask would release. */
function rawOf(attribute: AttributeName): unknown {
  switch (ATTRIBUTES[attribute].type) {
    case 'string':
      return '/home/hunter2/x';
    case 'int':
      return 123_456;
    case 'double':
      return 0.123_456_7;
    default:
      return undefined;
  }
}

describe('what is no released line', () => {
  const ruleset = SHIPPED[0]?.ruleset ?? everyTransform;
  const accepts = compileReleasedValidator(ruleset);
  const rows: readonly (readonly [string, unknown, string])[] = [
    ['nothing', undefined, 'event'],
    ['a list', [], 'event'],
    ['a text that is no JSON', '{', 'event'],
    ['an unknown event', '{"event":"process.thought","time":0}', 'event'],
    ['time before event', '{"time":0,"event":"process.exit"}', 'event'],
    ['no time', '{"event":"process.exit"}', 'time'],
    ['a finer time', '{"event":"process.exit","time":1}', 'time'],
    ['a time before 1970', '{"event":"process.exit","time":-1000}', 'time'],
    ['a key twice', '{"event":"process.exit","time":0,"process.pid":1,"process.pid":1}', 'event'],
    ['a space', '{"event":"process.exit", "time":0}', 'event'],
    ['another spelling of a number', '{"event":"process.exit","time":0,"process.pid":1.0}', 'event'],
    ['a character that should be escaped', '{"event":"process.exit","time":0,"error.type":"é"}', 'event'],
    [
      'out of order',
      '{"event":"process.exit","time":0,"process.pid":1,"process.entity.id":"p-aaaaaaaaaaaa"}',
      'process.entity.id',
    ],
    ['an attribute of another event', '{"event":"process.exit","time":0,"file.mode":"0644"}', 'file.mode'],
    [
      'a name outside the vocabulary',
      '{"event":"process.exit","time":0,"hunter2":1}',
      'an attribute outside the vocabulary',
    ],
    ['a wrong type', '{"event":"process.exit","time":0,"process.pid":"1"}', 'process.pid'],
    ['a number that is not exact', '{"event":"process.exit","time":0,"process.pid":9007199254740992}', 'process.pid'],
    ['null', '{"event":"process.exit","time":0,"process.pid":null}', 'process.pid'],
    [
      'a longer pseudonym',
      '{"event":"process.exit","time":0,"process.entity.id":"p-aaaaaaaaaaaaa"}',
      'process.entity.id',
    ],
    [
      'a kept text that is too long',
      JSON.stringify({ event: 'process.exit', time: 0, 'error.type': 'x'.repeat(1030) }),
      'error.type',
    ],
  ];
  for (const [name, line, attribute] of rows) {
    test(name, () => {
      expect(accepts(line)?.attribute).toBe(attribute);
      expect(JSON.stringify(accepts(line))).not.toContain('hunter2');
    });
  }

  test('every event of the vocabulary has a form', () => {
    for (const name of Object.keys(EVENTS)) expect(accepts({ event: name, time: 0 })).toBeUndefined();
  });
});
