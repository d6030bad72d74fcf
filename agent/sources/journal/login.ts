/** What login says of a log-on that failed: shadow's spelling, then util-linux's. Whoever succeeds is told by PAM and logind. */
import type { LogonFact } from './fact.ts';
import { terminalOf } from './pam.ts';

const SHADOW = /^FAILED LOGIN \(\d{1,4}\) on '([^']{1,40})'(?: from '[^']{0,255}')? FOR '(.*)', /;
const UTIL_LINUX = /^FAILED LOGIN (?:\d{1,4}|SESSION) FROM (\S{1,255}) FOR (.*), /;

export function parseLogin(message: string): LogonFact | undefined {
  const [found, terminal, user] = SHADOW.exec(message) ?? UTIL_LINUX.exec(message) ?? [];
  if (found === undefined) return undefined;
  return { kind: 'failed', service: 'login', user, terminal: terminalOf(terminal) };
}
