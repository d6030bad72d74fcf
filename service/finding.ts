/** What `doctor` has to say, of whatever part: what it looked at, how it is, and what to do. */
export type State = 'ok' | 'warning' | 'problem';

export interface Finding {
  readonly topic: string;
  readonly state: State;
  readonly says: string;
  /** What to do; on everything that is not ok. */
  readonly hint?: string;
}

export const ok = (topic: string, says: string): Finding => ({ topic, state: 'ok', says });
export const warning = (topic: string, says: string, hint: string): Finding => ({
  topic,
  state: 'warning',
  says,
  hint,
});
export const problem = (topic: string, says: string, hint: string): Finding => ({
  topic,
  state: 'problem',
  says,
  hint,
});

/** 3 when a configuration cannot be used, 1 when anything else is wrong. */
export function statusOf(findings: readonly Finding[]): 0 | 1 | 3 {
  const problems = findings.filter((finding) => finding.state === 'problem');
  if (problems.some((finding) => finding.topic === 'configuration')) return 3;
  return problems.length > 0 ? 1 : 0;
}

/** For people: what is wrong is not to be looked for between what is right. */
export function tell(findings: readonly Finding[]): string {
  const count = (state: State): number => findings.filter((finding) => finding.state === state).length;
  const lines = findings.map(
    ({ state, topic, says, hint }) =>
      `${state.padEnd(8)} ${topic.padEnd(14)} ${says}\n${hint === undefined ? '' : `${' '.repeat(24)}hint: ${hint}\n`}`,
  );
  return `${lines.join('')}${count('ok')} ok, ${count('warning')} warnings, ${count('problem')} problems\n`;
}
