/**
 * What PAM says, in whichever program. Used only where the program itself says nothing or too little: log-ons by login and
 * display managers, and the end of a session. sshd, sudo and su tell their own story, and PAM's lines repeat it.
 */
import type { LogonFact } from './fact.ts';

const LINE = /^pam_[a-z0-9_]{1,24}\(([\w.+-]{1,40}):(auth|session)\): /;
const OPENED = /^session opened for user ([^\s(]{1,64})(?:\(uid=\d{1,10}\))? by /;
const CLOSED = /^session closed for user ([^\s(]{1,64})$/;
const FAILED =
  /^authentication failure; logname=.* uid=\d+ euid=\d+ tty=(\S*) ruser=.* rhost=(\S*)\s*(?:user=(\S{1,64}))?$/;

/** Services through which people log on, and which say so by PAM alone. */
const LOGON = new Set([
  'login',
  'remote',
  'gdm-password',
  'gdm-autologin',
  'gdm-fingerprint',
  'gdm-smartcard',
  'lightdm',
  'lightdm-autologin',
  'sddm',
  'sddm-autologin',
  'lxdm',
  'xdm',
  'greetd',
  'cockpit',
  'xrdp-sesman',
]);

export function parsePam(message: string): LogonFact | undefined {
  const [start = '', service = '', group] = LINE.exec(message) ?? [];
  if (service !== 'sshd' && !LOGON.has(service)) return undefined;
  const text = message.slice(start.length);
  if (group === 'auth') return failed(service, text);
  const closed = CLOSED.exec(text);
  if (closed !== null) return { kind: 'closed', service, user: closed[1] };
  const opened = service === 'sshd' ? null : OPENED.exec(text);
  return opened === null ? undefined : { kind: 'opened', service, user: opened[1] };
}

function failed(service: string, text: string): LogonFact | undefined {
  // These two say it themselves.
  const found = service === 'sshd' || service === 'login' ? null : FAILED.exec(text);
  if (found === null) return undefined;
  const [, terminal = '', host = '', user] = found;
  const address = /^[0-9A-Fa-f.:]{2,45}$/.test(host) ? host : undefined;
  return { kind: 'failed', service, user, address, terminal: terminalOf(terminal) };
}

export function terminalOf(name: string | undefined): string | undefined {
  const bare = name?.replace(/^\/dev\//, '') ?? '';
  return /^(?:tty[A-Za-z]{0,6}\d{0,4}|pts\/\d{1,6}|console|hvc\d)$/.test(bare) ? bare : undefined;
}
