/**
 * What is wrong with a rule file: where it is wrong, and what to do about it.
 *
 * The message may quote the rule, never an event.
 */
export class SigmaError extends Error {
  override readonly name = 'SigmaError';
  readonly file: string;
  readonly line: number;

  constructor(file: string, line: number, problem: string) {
    super(`${file}:${line}: ${problem}`);
    this.file = file;
    this.line = line;
  }
}
