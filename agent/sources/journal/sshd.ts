/**
 * What sshd says of log-ons, the parts that count.
 *
 * Lines are read from their end where a stranger chose the beginning: whoever asks to log on as `root from 192.0.2.9 port
 * 22 ssh2` does not come from there. The name of a user that does not exist is not read at all: it may be a password.
 */
import type { LogonFact, Origin } from './fact.ts';

const NAME = '[^\\s]{1,64}';
const FROM = 'from ([0-9A-Fa-f.:]{2,45}(?:%[\\w.-]{1,16})?) port (\\d{1,5})';
const METHOD = '([a-z0-9-]{1,40}(?:/[a-z0-9-]{1,20})?)';
const KEY = '(?:: ([A-Z0-9-]{1,30}) ((?:SHA256|SHA1|SHA512|MD5):[A-Za-z0-9+/=:]{1,130})(?:[ ,].*)?)?';

const ACCEPTED = new RegExp(`^Accepted ${METHOD} for (${NAME}) ${FROM} ssh2${KEY}$`);
const FAILED = new RegExp(`^Failed ${METHOD} for (${NAME}) ${FROM} ssh2${KEY}$`);
const FAILED_UNKNOWN = new RegExp(`^Failed ${METHOD} for invalid user .* ${FROM} ssh2${KEY}$`);
const LEFT = '(?:Connection (?:closed|reset) by|Disconnected from)';
const ADDRESS_PORT = '([0-9A-Fa-f.:]{2,45}(?:%[\\w.-]{1,16})?) port (\\d{1,5}) \\[preauth\\]';
const GIVEN_UP = new RegExp(`^${LEFT} authenticating user (${NAME}) ${ADDRESS_PORT}$`);
const GIVEN_UP_UNKNOWN = new RegExp(`^${LEFT} invalid user (?:.* )?${ADDRESS_PORT}$`);

export function parseSshd(message: string): LogonFact | undefined {
  switch (message.charCodeAt(0)) {
    case 0x41:
      return attempt('accepted', ACCEPTED.exec(message));
    case 0x46:
      return message.startsWith('invalid user ', message.indexOf(' for ') + 5)
        ? unknown('failed', FAILED_UNKNOWN.exec(message))
        : attempt('failed', FAILED.exec(message));
    case 0x43:
    case 0x44:
      return givenUp(message);
    default:
      return undefined;
  }
}

function attempt(kind: 'accepted' | 'failed', found: RegExpExecArray | null): LogonFact | undefined {
  const [, method = '', user, address, port, keyType, keyFingerprint] = found ?? [];
  // `none` asks which methods there are; nobody tried anything.
  if (found === null || method === 'none') return undefined;
  return { kind, service: 'sshd', method: methodOf(method), user, ...origin(address, port), keyType, keyFingerprint };
}

function unknown(kind: 'failed', found: RegExpExecArray | null): LogonFact | undefined {
  const [, method = '', address, port, keyType, keyFingerprint] = found ?? [];
  if (found === null || method === 'none') return undefined;
  const reason = 'unknown-user';
  return { kind, service: 'sshd', method: methodOf(method), reason, ...origin(address, port), keyType, keyFingerprint };
}

function givenUp(message: string): LogonFact | undefined {
  const known = GIVEN_UP.exec(message);
  if (known !== null)
    return { kind: 'given-up', service: 'sshd', user: known[1], reason: 'given-up', ...origin(known[2], known[3]) };
  const stranger = GIVEN_UP_UNKNOWN.exec(message);
  if (stranger === null) return undefined;
  return { kind: 'given-up', service: 'sshd', reason: 'unknown-user', ...origin(stranger[1], stranger[2]) };
}

/** `keyboard-interactive/pam` is told as keyboard-interactive. */
const methodOf = (method: string): string => method.split('/')[0] ?? method;

const origin = (address: string | undefined, port: string | undefined): Origin => ({
  address: address?.split('%')[0],
  port: port === undefined ? undefined : Number(port),
});
