/** What a busy server tells, without end: mostly files, some programs, connections and names. See execs.ts for the programs. */
import { execOf, type ServerEvent } from './execs.ts';

const WRITERS = [
  '/usr/sbin/nginx',
  '/usr/lib/postgresql/15/bin/postgres',
  '/usr/bin/python3.11',
  '/usr/bin/rsync',
] as const;
const PLACES = [
  '/var/lib/postgresql/15/main/base/16384/{}',
  '/var/log/nginx/access.log.{}',
  '/srv/app/releases/{}/static/main.css',
  '/var/cache/app/chunk-{}.bin',
  '/home/alex/projects/invoice-{}/build/main.o',
  '/tmp/upload-{}.part',
  '/run/app/{}.lock',
  '/etc/app/conf.d/site-{}.conf',
] as const;
const NAMES = ['build.example.org', 'db-{}.example.org', 'mirror.example.net', 'api-{}.example.com'] as const;

const pick = <T>(from: readonly T[], number: number, other: T): T => from[number % from.length] ?? other;
const filled = (text: string, number: number): string => text.replace('{}', String((number * 7919) % 1_000_003));

function actorOf(number: number): ServerEvent['attributes'] {
  const pid = 600 + ((number * 13) % 400);
  const isRoot = number % 3 === 0;
  return {
    'process.entity.id': `${pid}-${80_000_000_000 + pid}`,
    'process.pid': pid,
    'process.executable.path': pick(WRITERS, number * 7, '/usr/sbin/nginx'),
    'process.user.id': isRoot ? 0 : 33,
    'process.user.name': isRoot ? 'root' : 'www-data',
    'process.linux.cgroup': '/system.slice/app.service',
    'systemd.unit': 'app.service',
  };
}

const opened = (number: number, access: 'read' | 'write'): ServerEvent['attributes'] => ({
  'file.path': filled(pick(PLACES, number * 3, '/tmp/x'), number),
  'file.path.origin': 'kernel',
  'file.open.access': access,
  'file.open.created': access === 'write' && number % 4 === 0,
  'file.inode': 100_000 + number,
  'file.mode': '0644',
});

/** In a hundred events; each row: how many, their name, what they say beside who did it. */
const KINDS: readonly (readonly [number, string, (number: number) => ServerEvent['attributes']])[] = [
  [45, 'file.open', (number) => opened(number, 'write')],
  [10, 'file.open', (number) => opened(number, 'read')],
  [
    8,
    'file.delete',
    (number) => ({ 'file.path': filled(pick(PLACES, number, '/tmp/x'), number), 'file.path.origin': 'kernel' }),
  ],
  [
    5,
    'file.rename',
    (number) => ({
      'file.path': filled('/var/cache/app/chunk-{}.tmp', number),
      'file.target.path': filled('/var/cache/app/chunk-{}.bin', number),
      'file.path.origin': 'argument',
    }),
  ],
  [
    8,
    'network.connect',
    (number) => ({
      'network.transport': 'tcp',
      'network.type': 'ipv4',
      'network.peer.address': `10.0.${number % 250}.${(number * 7) % 250}`,
      'network.peer.port': pick([443, 5432, 8080, 53], number, 443),
      'network.local.port': 32_768 + (number % 20_000),
    }),
  ],
  [
    4,
    'network.accept',
    (number) => ({
      'network.transport': 'tcp',
      'network.type': 'ipv4',
      'network.peer.address': `203.0.113.${number % 250}`,
      'network.peer.port': 32_768 + (number % 20_000),
      'network.local.port': 443,
    }),
  ],
  [
    3,
    'dns.query',
    (number) => ({ 'dns.question.name': filled(pick(NAMES, number, 'example.org'), number), 'dns.question.type': 'A' }),
  ],
  [7, 'process.exit', (number) => ({ 'process.exit.code': number % 9 === 0 ? 1 : 0 })],
];

/** The event with this number; the same number gives the same event. Ten in a hundred are programs run. */
export function eventOf(number: number): ServerEvent {
  let place = number % 100;
  for (const [share, name, say] of KINDS) {
    if (place < share)
      return { name, time: 1_790_000_000_000_000 + number * 811, attributes: { ...actorOf(number), ...say(number) } };
    place -= share;
  }
  return execOf(number, 'new');
}
