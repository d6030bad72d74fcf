/** An agent that breaks tells where, and nothing of what it held. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { lastWords } from '../../agent/last-words.ts';

const MODULE = fileURLToPath(new URL('../../agent/last-words.ts', import.meta.url));

const errors: Readonly<Record<string, () => unknown>> = {
  'a number that is none': () => BigInt('hunter2'),
  'JSON that is none': () => JSON.parse('hunter2'),
  'an address that is none': () => new URL('hunter2'),
  'a message that looks like a place': () => {
    throw new Error('x\n    at hunter2 (file:///x.ts:1:1)');
  },
  'a name that was changed': () => {
    throw Object.assign(new Error('x'), { name: 'hunter2', code: 'hunter2 ' });
  },
  'a message that was changed afterwards': () => {
    const error = new Error('hunter2');
    error.message = 'y';
    throw error;
  },
  'a text': () => {
    // oxlint-disable-next-line no-throw-literal, only-throw-error -- a library may, and then its words are what must not leave
    throw 'hunter2';
  },
};
for (const [what, make] of Object.entries(errors)) {
  test(what, () => {
    let words = '';
    try {
      make();
    } catch (error) {
      words = lastWords(error);
    }
    expect(words).toMatch(/^hushwatch agent: it broke \([A-Za-z_ ]+\)\n/);
    expect(words).not.toContain('hunter2');
  });
}

test('the places are there', () => {
  expect(lastWords(new Error('hunter2'))).toMatch(/\n +at .*last-words\.test\.ts:\d+:\d+/);
});

for (const how of [
  "throw new TypeError('hunter2')",
  "Promise.reject(new TypeError('hunter2'))",
  "JSON.parse('hunter2')",
]) {
  test(`of a process: ${how}`, () => {
    const program = `import { guardLastWords } from ${JSON.stringify(MODULE)}; guardLastWords(); setTimeout(() => {}, 1e4); ${how};`;
    const run = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
    expect(run.status).toBe(1);
    expect(run.stderr).toMatch(/^hushwatch agent: it broke \((?:TypeError|SyntaxError)\)\n/);
    expect(run.stderr + run.stdout).not.toContain('hunter2');
  });
}
