/**
 * What is wrong with a rule file: where it is wrong, and what to do about it.
 *
 * The message may quote the rule, never an event.
 */
export class SigmaError extends Error {
  override readonly name = 'SigmaError';
  readonly file: string;
  readonly line: number;

  /** `more` are problems of other places, told with this one. */
  constructor(file: string, line: number, problem: string, more: readonly string[] = []) {
    super([`${file}:${line}: ${problem}`, ...more].join('\n'));
    this.file = file;
    this.line = line;
  }
}

const MAX_TOLD = 20;

/** What `make` gives for each, or one error that tells what is wrong with all that are wrong. */
export function collectErrors<T, R>(from: readonly T[], make: (one: T) => readonly R[]): readonly R[] {
  const errors: SigmaError[] = [];
  const made = from.flatMap((one) => {
    try {
      return make(one);
    } catch (error) {
      if (!(error instanceof SigmaError)) throw error;
      errors.push(error);
      return [];
    }
  });
  const [first, ...others] = errors;
  if (first === undefined) return made;
  const more = others.slice(0, MAX_TOLD - 1).map(({ message }) => message);
  if (others.length >= MAX_TOLD) more.push(`and ${others.length - MAX_TOLD + 1} more`);
  const problem = first.message.slice(`${first.file}:${first.line}: `.length);
  throw new SigmaError(first.file, first.line, problem, more);
}
