/** What schemas say of themselves: complete, and as the reader reads it. */
import { describe, expect, test } from 'vitest';
import { describeKeys, tableOf } from '../../config/pages.ts';
import { parseConfig } from '../../config/schema.ts';
import { CONFIGURATIONS, example, manualPage } from '../../deploy/deb/configuration.ts';

describe.each(CONFIGURATIONS)('$process.yaml', (configuration) => {
  const { process, keys } = configuration;
  const names = Object.keys(keys);

  test('a line of --help, a row and a section for each key', () => {
    const lines = describeKeys(keys).split('\n');
    expect(lines).toHaveLength(names.length);
    for (const line of lines) expect(line).toMatch(/^ {2}[a-z_]+ +.{20,} (?:Required\.|Optional\.|Default: .+\.)$/);
    for (const name of names) {
      expect(tableOf(keys)).toMatch(
        new RegExp(`^\\| \`${name}\` \\| [A-Z].+\\. \\| .+ \\| (?:SIGHUP|start) \\|$`, 'm'),
      );
      expect(manualPage(configuration)).toContain(`.TP\n.B ${name}\n`);
    }
    expect(lines.join('\n')).not.toContain('undefined');
  });

  test('the example sets nothing; what it would set are the defaults', () => {
    const text = example(configuration);
    expect(text.split('\n').every((line) => line === '' || line.startsWith('#'))).toBe(true);
    const wouldSet = text.replaceAll(/^#(?=[a-z_]+: .)/gm, '');
    const defaults = Object.fromEntries(
      Object.entries(keys).flatMap(([name, { fallback }]) =>
        fallback?.value === undefined ? [] : [[name, fallback.value]],
      ),
    );
    const loose = Object.fromEntries(
      Object.entries(keys).map(([name, key]) => [name, { fallback: { value: undefined }, ...key }]),
    );
    expect(parseConfig(wouldSet, `/etc/${process}.yaml`, loose)).toEqual(defaults);
  });
});
