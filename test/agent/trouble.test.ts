/** What goes wrong again and again is said seldom, with what to do, and said to be over when it is. */
import { expect, test } from 'vitest';
import { Trouble, untilDone } from '../../agent/trouble.ts';

const failure = (code: string): Error => Object.assign(new Error('/secret/path'), { code });

function listen(now: () => number): { trouble: Trouble; said: string[] } {
  const said: string[] = [];
  const say = (detail: unknown, what?: string): void => void said.push(`${what ?? ''} ${JSON.stringify(detail)}`);
  return { trouble: new Trouble({ error: say, info: say }, 'cannot', 'can again', now), said };
}

test('a storm of failures is a line a minute, without what a message may quote', () => {
  let now = 0;
  const { trouble, said } = listen(() => now);
  for (; now < 150_000; now += 250) trouble.again(failure('ENOSPC'));
  expect(said).toHaveLength(3);
  expect(said[0]).toMatch(/^cannot .*"code":"ENOSPC","times":1,"hint":"make room/);
  expect(said.join('')).not.toContain('secret');
  // Some of it works.
  trouble.over();
  expect(said).toHaveLength(3);
  now += 5_000;
  trouble.over();
  trouble.over();
  expect(said.slice(3)).toEqual(['can again {"times":600}']);
  trouble.again(failure('EROFS'));
  expect(said).toHaveLength(5);
});

test('work is tried again while the world is broken, and no longer than asked', async () => {
  const { trouble, said } = listen(() => performance.now());
  let times = 0;
  const work = async (): Promise<number> => {
    if (++times < 3) throw failure('EROFS');
    return times;
  };
  expect(await untilDone(work, trouble, new AbortController().signal)).toBe(3);
  expect(said).toHaveLength(2);
  await expect(
    untilDone(() => Promise.reject(failure('ENOENT')), trouble, new AbortController().signal),
  ).rejects.toThrow();
  expect(await untilDone(() => Promise.reject(failure('EIO')), trouble, AbortSignal.timeout(50))).toBeUndefined();
});
