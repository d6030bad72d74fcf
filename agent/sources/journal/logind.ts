/** What logind says of sessions. Its fields are structured; the text is only asked where there is nothing else. */
import { numberOf, type Entry } from './entry.ts';
import type { SessionFact } from './fact.ts';

const STARTED = '8d45620c1a4348dbb17410da57c60c66';
const REMOVED = '3354939424b4456d9802ca8333ed424a';
/** Sessions that nobody logged on to. */
const NOT_A_LOGON = /with class '(?:manager|manager-early|background|background-light|none|greeter|lock-screen)'/;

export function parseLogind({ message, fields }: Entry): SessionFact | undefined {
  const kind = kindOf(message, fields.get('MESSAGE_ID'));
  const session = fields.get('SESSION_ID') ?? '';
  const user = fields.get('USER_ID') ?? '';
  const leader = numberOf(fields.get('LEADER'));
  if (kind === undefined || leader === undefined) return undefined;
  if (!/^c?\d{1,10}$/.test(session) || !/^[^\s]{1,64}$/.test(user)) return undefined;
  return { kind, session, user, leader };
}

function kindOf(message: string, id: string | undefined): SessionFact['kind'] | undefined {
  if (id === STARTED) return NOT_A_LOGON.test(message) ? 'session-other' : 'session-new';
  if (id === REMOVED) return 'session-removed';
  return /^Session \S{1,20} logged out\./.test(message) ? 'session-left' : undefined;
}
