/**
 * Stories to other systems: every output follows the stories that are shown, in the order in which they changed, from a
 * cursor of its own in the state. The cursor moves when the other side has taken them; until then they are offered
 * again, with growing pauses, after a restart too. So each revision arrives at least once, under the same id. Nothing
 * waits for an output, and no output waits for another.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { StoryRow } from '../findings.ts';
import type { State } from '../state.ts';

export interface Output {
  /** Kind and place, without secrets: the cursor's name. */
  readonly name: string;
  /** Resolves when the other side has taken all of them; rejects otherwise. */
  deliver(stories: readonly StoryRow[], signal: AbortSignal): Promise<void>;
}

const STORIES_A_TURN = 100;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 300_000;

/** Tells one revision of one story from all others: what a receiver drops repeats by. */
export const messageId = ({ id, revision }: Pick<StoryRow, 'id' | 'revision'>): string => `${id}.${revision}`;

/** Until asked to stop. An output that is new begins with what changes from now on. */
export async function feedOutput(state: State, output: Output, logger: Logger, signal: AbortSignal): Promise<void> {
  const cursor = `output ${output.name}`;
  let position = state.cursor(cursor) ?? state.lastStorySeq();
  state.commitStep({ alerts: [], cursor: { name: cursor, position } });
  for (let failures = 0; !signal.aborted;) {
    const stories = state.stories({ limit: STORIES_A_TURN, afterSeq: position, shown: true });
    const last = stories.at(-1);
    if (last === undefined) {
      await nextChange(state, signal);
      continue;
    }
    try {
      await output.deliver(stories, signal);
      failures = 0;
      position = last.seq;
      state.commitStep({ alerts: [], cursor: { name: cursor, position } });
    } catch (error) {
      failures += 1;
      const pause = Math.min(FIRST_PAUSE_MS * 2 ** failures, LONGEST_PAUSE_MS) * (0.5 + Math.random() / 2);
      logger.warn({ output: output.name, failures, problem: problemOf(error) }, 'an output took no stories');
      await sleep(pause, undefined, { signal }).catch(() => {});
    }
  }
}

/** What libraries say may quote a header or a body; name and code do not. */
function problemOf(error: unknown): string {
  if (error instanceof Undelivered) return error.message;
  if (!(error instanceof Error)) return 'unknown';
  const code = 'code' in error && typeof error.code === 'string' ? error.code : causeOf(error);
  return code === undefined ? error.name : `${error.name} ${code}`;
}

function causeOf({ cause }: Error): string | undefined {
  return cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : undefined;
}

/** Why the other side took nothing, in words of our own. */
export class Undelivered extends Error {
  override readonly name = 'Undelivered';
}

async function nextChange(state: State, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const unsubscribe = state.onChange((what) => what === 'alert' && resolve());
  const stop = (): void => resolve();
  signal.addEventListener('abort', stop);
  if (signal.aborted) resolve();
  await promise;
  signal.removeEventListener('abort', stop);
  unsubscribe();
}
