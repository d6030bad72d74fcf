/**
 * The places of a node where accounts, credentials, services and scheduled tasks are kept, as one declared list.
 *
 * Pure: from a path to what stands there. A name that cron, at or systemd would not read is no place, so the temporary
 * names under which editors and package managers write are left out by themselves.
 */
import { posix } from 'node:path';

export type AccountFile = 'passwd' | 'shadow' | 'group' | 'gshadow';
export type Scheduler = 'cron' | 'anacron' | 'at' | 'systemd';

export type Place =
  | { readonly kind: 'accounts'; readonly file: AccountFile }
  /** Keys with which one may log in as the owner of the home directory. */
  | { readonly kind: 'credential'; readonly home: string }
  | { readonly kind: 'service'; readonly name: string; readonly part: ServicePart }
  | {
      readonly kind: 'task';
      readonly name: string;
      readonly scheduler: Scheduler;
      readonly part: ServicePart;
      readonly user?: string;
    };

/** `unit` is the thing itself; the others change a thing that is there. */
export type ServicePart = 'unit' | 'drop-in' | 'enabled';

/** Directories whose names are read once at the start, to tell a new thing from a changed one. */
export const LISTED = [
  '/etc/systemd/system',
  '/usr/lib/systemd/system',
  '/run/systemd/system',
  '/etc/systemd/user',
  '/usr/lib/systemd/user',
  '/etc/init.d',
  '/etc/cron.d',
  '/etc/cron.hourly',
  '/etc/cron.daily',
  '/etc/cron.weekly',
  '/etc/cron.monthly',
] as const;

/** The same places by their older names. */
const ALIASES: readonly (readonly [string, string])[] = [
  ['/lib/', '/usr/lib/'],
  ['/var/run/', '/run/'],
];

const ACCOUNT_FILES: ReadonlyMap<string, AccountFile> = new Map([
  ['/etc/passwd', 'passwd'],
  ['/etc/shadow', 'shadow'],
  ['/etc/group', 'group'],
  ['/etc/gshadow', 'gshadow'],
]);

const CRON_NAME = '[A-Za-z0-9_-]+';
const UNIT = String.raw`[^/]+\.(?:service|socket|path|mount|automount|swap|target|timer)`;
const UNIT_DIRECTORY = String.raw`(?:/etc|/usr/lib|/usr/local/lib|/run)/systemd/(?:system|user)|/usr/share/systemd/user|(?:.*/\.config|.*/\.local/share)/systemd/user`;

type Named = Readonly<Record<string, string>>;
const PLACES: readonly (readonly [RegExp, (named: Named) => Place])[] = [
  [
    /^(?<home>\/.*|)\/\.ssh\/authorized_keys2?$/,
    ({ home = '' }) => ({ kind: 'credential', home: home === '' ? '/' : home }),
  ],
  [new RegExp(`^(?:${UNIT_DIRECTORY})/(?<name>${UNIT})$`), ({ name = '' }) => unit(name, 'unit')],
  [new RegExp(`^(?:${UNIT_DIRECTORY})/(?<name>${UNIT})\\.d/[^/]+\\.conf$`), ({ name = '' }) => unit(name, 'drop-in')],
  [
    new RegExp(`^(?:${UNIT_DIRECTORY})/[^/]+\\.(?:wants|requires|upholds)/(?<name>${UNIT})$`),
    ({ name = '' }) => unit(name, 'enabled'),
  ],
  [/^\/etc\/init\.d\/(?<name>[A-Za-z0-9._-]+)$/, ({ name = '' }) => ({ kind: 'service', name, part: 'unit' })],
  [
    /^\/etc\/rc[0-6S]\.d\/S\d\d(?<name>[A-Za-z0-9._-]+)$/,
    ({ name = '' }) => ({ kind: 'service', name, part: 'enabled' }),
  ],
  [/^\/etc\/(?<name>crontab)$/, ({ name = '' }) => task(name, 'cron')],
  [/^\/etc\/(?<name>anacrontab)$/, ({ name = '' }) => task(name, 'anacron')],
  [
    new RegExp(`^/etc/cron\\.(?:d|hourly|daily|weekly|monthly)/(?<name>${CRON_NAME})$`),
    ({ name = '' }) => task(name, 'cron'),
  ],
  [
    new RegExp(`^/var/spool/cron/(?:(?:crontabs|tabs)/)?(?<user>(?!atjobs$|atspool$|crontabs$|tabs$)${CRON_NAME})$`),
    ({ user = '' }) => ({ kind: 'task', name: user, scheduler: 'cron', part: 'unit', user }),
  ],
  // A queue letter and the time in hexadecimal. While it runs the name begins with =, which is no place.
  [/^\/var\/spool\/(?:cron\/atjobs|at|atjobs)\/(?<name>[A-Za-z][0-9a-f]{13})$/, ({ name = '' }) => task(name, 'at')],
];

const task = (name: string, scheduler: Scheduler): Place => ({ kind: 'task', name, scheduler, part: 'unit' });
const unit = (name: string, part: ServicePart): Place =>
  name.endsWith('.timer') ? { kind: 'task', name, scheduler: 'systemd', part } : { kind: 'service', name, part };

/** Nearly every path is none of these: the beginnings are looked at first. */
const BEGINNINGS = /^\/(?:etc|usr\/lib|usr\/local\/lib|usr\/share|run|var\/spool)\/|\/\.ssh\/|\/systemd\/user\//;

/** `//`, `/./`, `/../`, or a slash at the end: rare, and most of the cost of making a path canonical. */
const UNTIDY = /\/\.{0,2}(?:\/|$)/;

export function canonical(path: string): string {
  const plain = UNTIDY.test(path) ? posix.normalize(path) : path;
  const alias = ALIASES.find(([from]) => plain.startsWith(from));
  return alias === undefined ? plain : alias[1] + plain.slice(alias[0].length);
}

/** What stands at this path, which is {@link canonical}. */
export function placeOf(path: string): Place | undefined {
  if (!BEGINNINGS.test(path)) return undefined;
  const file = ACCOUNT_FILES.get(path);
  if (file !== undefined) return { kind: 'accounts', file };
  for (const [pattern, place] of PLACES) {
    const match = pattern.exec(path);
    if (match !== null) return place(match.groups ?? {});
  }
  return undefined;
}
