/** Whoever follows what is in force hears of the change once, and finds the next one there. */
import { expect, test } from 'vitest';
import { InForce } from '../../service/in-force.ts';

test('a change is heard after it has happened', () => {
  const inForce = new InForce('first');
  const heard: string[] = [];
  const { changed } = inForce;
  changed.addEventListener('abort', () => heard.push(inForce.now));
  inForce.become('second');
  expect(heard).toEqual(['second']);
  expect(changed.aborted).toBe(true);
  expect(inForce.changed.aborted).toBe(false);
});
