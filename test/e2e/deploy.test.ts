/**
 * The packages on real machines: installed, enrolled, started, upgraded under load, rolled back, their power cut, removed. The
 * collector is another machine at the other end of a cable. Nothing is lost, and in the end nothing is left.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildPackages } from '../../deploy/deb/build.ts';
import { VERSION } from '../../agent/build.ts';
import { MachineRoom, type Machine } from './machine-room.ts';
import { buildProbe, confined, unconfined } from './confined.ts';
import { COLLECTOR, connect, connectedPair, HOME } from './packaged.ts';
import { FORBIDDEN, ON_COLLECTORS, ON_NODES } from './confinement-rows.ts';
import { CHECKOUT, isRoot, WHY_SKIPPED } from './stack.ts';

const NEXT = `${VERSION}+next`;
const room = new MachineRoom();
/** Below /var/lib. */
const REPORTS: Readonly<Record<string, string>> = {
  agent: 'hushwatch/spool',
  shipper: 'hushwatch-ship/receipts',
  collector: 'hushwatch-collector',
};
const SERVICES = 'hushwatch-agent hushwatch-shipper hushwatch-sensor';
let node: Machine;
let collector: Machine;

beforeAll(async () => {
  if (!isRoot) return;
  // They boot while the packages are built.
  const booting = connectedPair(room);
  await buildPackages({ out: room.shared, fast: true });
  buildProbe(room.shared);
  await buildPackages({ out: room.shared, fast: true, version: NEXT, only: 'hushwatch-agent' });
  ({ node, collector } = await booting);
}, 300_000);
afterAll(() => room[Symbol.asyncDispose](), 60_000);

const install = (version: string): string => node.run(`dpkg -i /shared/hushwatch-agent_${version}_amd64.deb 2>&1`);

/** The program runs on the node, again and again since the sensor may still be loading, until the collector knows. */
async function isSeen(program: string): Promise<void> {
  const query = `event = 'process.exec' AND process.executable.path = '${program}'`;
  const ask = `runuser -u hushwatch-collector -- hushwatch events --since 1h --where "${query}" --json | grep -q node-1`;
  for (const end = Date.now() + 90_000; Date.now() < end;) {
    node.run(`${program} --version >/dev/null`);
    if (collector.try(`sleep 1; ${ask}`).status === 0) return;
  }
  throw new Error(`${program} ran on the node, and the collector does not know`);
}

function verified(): string {
  return collector.run(`hushwatch verify ${HOME}`);
}

test.skipIf(!isRoot)(`the same checkout gives the same bytes${WHY_SKIPPED}`, async () => {
  const again = await buildPackages({ out: join(room.shared, 'again'), fast: true, only: 'hushwatch-agent' });
  const first = spawnSync('sha256sum', [join(room.shared, `hushwatch-agent_${VERSION}_amd64.deb`)], {
    encoding: 'utf8',
  });
  expect(again.map(({ sha256 }) => sha256)).toEqual([first.stdout.split(' ')[0]]);
});

test.skipIf(!isRoot)(
  `installed, enrolled, started: what happens on the node is proven at the collector${WHY_SKIPPED}`,
  async () => {
    collector.run(COLLECTOR);
    install(VERSION);
    // What an agent that was broken into could leave for the next enrolment by root.
    node.run(
      'echo untouched >/root/target; runuser -u hushwatch -- ln -s /root/target /var/lib/hushwatch/identity.key.pub',
    );
    node.try('hushwatch enroll /shared/node-1.invitation');
    expect(node.run('cat /root/target; stat -c %U /root/target')).toBe('untouched\nroot\n');
    node.run('rm -f /root/target /var/lib/hushwatch/identity.key*');
    const keys = node.run('hushwatch enroll /shared/node-1.invitation 2>&1 >/shared/node-1.entry').split('\n');
    expect(keys[1]).toBe(`log_key: ${collector.run(`cat ${HOME}/log.pub`).trim()}`);
    expect(collector.run('hushwatch collector admit /shared/node-1.entry').split('\n')).toEqual([
      'node-1 may send now',
      ...keys.slice(2),
    ]);
    node.run('systemctl enable --now hushwatch.target');
    await node.until(`systemctl is-active ${SERVICES}`, 'the services');
    await isSeen('/usr/bin/shred');
    expect(verified()).toMatch(/\nverified\n$/);
    expect(node.try('hushwatch status')).toMatchObject({ status: 0 });
    expect(
      node.try('hushwatch doctor --config /etc/hushwatch/agent.yaml --shipper /etc/hushwatch/shipper.yaml').stdout,
    ).toMatch(/, 0 problems/);
  },
);

test.skipIf(!isRoot)(`a configuration is read again; a bad one is not, and status says so${WHY_SKIPPED}`, async () => {
  const report = (process: string): string => `/var/lib/${REPORTS[process] ?? ''}/configuration.json`;
  for (const [machine, process] of [
    [node, 'agent'],
    [node, 'shipper'],
    [collector, 'collector'],
  ] as const) {
    const pid = machine.run(`systemctl show -p MainPID --value hushwatch-${process}`);
    machine.run(`systemctl reload hushwatch-${process}`);
    await machine.until(`grep -q '"reloads":1,' ${report(process)}`, `${process} to have read its configuration again`);
    expect(machine.run(`systemctl is-active hushwatch-${process}`)).toBe('active\n');
    expect(machine.run(`systemctl show -p MainPID --value hushwatch-${process}`)).toBe(pid);
    expect(machine.run(`hushwatch ${process} check`)).toMatch(/\d|good/);
  }
  node.run('cp -a /etc/hushwatch/agent.yaml /root/kept; echo "nod: x" >>/etc/hushwatch/agent.yaml');
  node.run('systemctl reload hushwatch-agent');
  await node.until(`grep -q '"refused":1,' ${report('agent')}`, 'the agent to have refused it');
  expect(node.try('hushwatch status')).toMatchObject({
    status: 1,
    stdout: expect.stringMatching(/^look .*agent\.yaml:\d+:1 nod: no such key; did you mean `node`/m),
  });
  node.run('cp -a /root/kept /etc/hushwatch/agent.yaml; rm /root/kept; systemctl reload hushwatch-agent');
  await node.until(`! grep -q problem ${report('agent')}`, 'the agent to be content');
  expect(node.try('hushwatch status')).toMatchObject({ status: 0 });
  expect(collector.try('hushwatch status')).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/every node is heard/),
  });
  expect(collector.try('hushwatch doctor').stdout).toMatch(/, 0 problems/);
});

test.skipIf(!isRoot)(`what belongs to a package is there, and says what the package is${WHY_SKIPPED}`, () => {
  for (const [machine, name, pages] of [
    [
      node,
      'hushwatch-agent',
      ['hushwatch.1', 'hushwatch-agent.1', 'hushwatch-agent.yaml.5', 'hushwatch-shipper.yaml.5'],
    ],
    [collector, 'hushwatch-collector', ['hushwatch-collector.1', 'hushwatch-detect.1', 'hushwatch-collector.yaml.5']],
  ] as const) {
    for (const page of pages)
      expect(machine.run(`zcat -f /usr/share/man/man${page.at(-1) ?? ''}/${page}.gz | head -3`)).toMatch(
        /^\.TH HUSHWATCH/,
      );
    expect(
      machine.run('bash -c "source /usr/share/bash-completion/completions/hushwatch; complete -p hushwatch"'),
    ).toMatch(/_hushwatch/);
    const materials: { readonly components: readonly unknown[] } = JSON.parse(
      machine.run(`cat /usr/share/doc/${name}/sbom.cdx.json`),
    );
    expect(materials.components.length).toBeGreaterThan(2);
    expect(machine.run(`grep -c ^License: /usr/share/doc/${name}/copyright`).trim()).not.toBe('0');
    expect(machine.run(`cat /usr/share/doc/${name}/examples/*.yaml`)).toMatch(/^#origin: |^#node:/m);
  }
});

describe.skipIf(!isRoot)(`what confinement holds back${WHY_SKIPPED}`, () => {
  const everything = ON_NODES.flatMap(({ unreadable }) => unreadable);

  test('without it, each attempt succeeds: the probe is no dud', () => {
    const attempts = unconfined(
      node,
      everything.filter((file) => !file.endsWith('.sock')),
    );
    expect([...attempts].filter(([, result]) => result !== 'yes')).toEqual([]);
    expect(attempts.size).toBeGreaterThan(35);
  });

  test.for([...ON_NODES, ...ON_COLLECTORS])('$unit', ({ unit, sibling, may, unreadable }) => {
    const machine = ON_COLLECTORS.some((each) => each.unit === unit) ? collector : node;
    const attempts = confined(machine, unit, sibling, unreadable);
    const succeeded = [...attempts].filter(([, result]) => result === 'yes').map(([name]) => name);
    expect(succeeded.toSorted()).toEqual(Object.keys(may).toSorted());
    expect(attempts.size).toBe(FORBIDDEN.length + unreadable.length);
  });

  test('the sensor that runs has given up what it loaded its programs with', async () => {
    const ask = 'cat /proc/$(systemctl show -p MainPID --value hushwatch-sensor)/status';
    await node.until(`${ask} | grep -q "^CapPrm:.0*$"`, 'the sensor to have loaded its programs');
    const status = node.run(ask);
    for (const set of ['CapPrm', 'CapEff', 'CapAmb']) expect(status).toMatch(new RegExp(`^${set}:\\t0{16}$`, 'm'));
    expect(status).toMatch(/^NoNewPrivs:\t1$/m);
    expect(status).toMatch(/^Seccomp:\t2$/m);
  });

  test.each(['agent 0.5', 'shipper 1.3', 'sensor 0.9', 'collector 1.5', 'witness 1.2'])(
    'exposure of %s at most',
    (row) => {
      const [name = '', most = ''] = row.split(' ');
      const file = join(CHECKOUT, `deploy/systemd/hushwatch-${name}.service`);
      const { stdout } = spawnSync('systemd-analyze', ['security', '--offline=true', file], { encoding: 'utf8' });
      expect(Number(/exposure level for \S+: ([\d.]+)/.exec(stdout)?.[1])).toBeLessThanOrEqual(Number(most));
    },
  );
});

test.skipIf(!isRoot)(`an upgrade under load, and back, lose nothing${WHY_SKIPPED}`, async () => {
  node.run('(while :; do /usr/bin/factor 42 >/dev/null; sleep 0.02; done) >/dev/null 2>&1 & echo $! >/run/load');
  const before = node.run(
    'stat -c %i /var/lib/hushwatch/identity.key; sha256sum /var/lib/hushwatch/pseudonym.key /etc/hushwatch/agent.yaml',
  );
  expect(install(NEXT)).toContain(`Setting up hushwatch-agent (${NEXT})`);
  node.run('/usr/bin/shuf --version >/dev/null');
  await node.until(`systemctl is-active ${SERVICES}`, 'the services');
  expect(install(VERSION)).toContain('Setting up');
  await node.until(`systemctl is-active ${SERVICES}`, 'the services');
  node.run('kill $(cat /run/load)');
  await isSeen('/usr/bin/tac');
  expect(
    node.run(
      'stat -c %i /var/lib/hushwatch/identity.key; sha256sum /var/lib/hushwatch/pseudonym.key /etc/hushwatch/agent.yaml',
    ),
  ).toBe(before);
  expect(verified()).toMatch(/node node-1: .* 0 lost\b[^]*\nverified\n$/);
});

test.skipIf(!isRoot)(`the power is cut; the chain goes on${WHY_SKIPPED}`, async () => {
  await node.cutPower();
  await node.start();
  await collector.until('! ip link show collector0', 'the old cable to go');
  connect(node, collector);
  await node.until(`systemctl is-active ${SERVICES}`, 'the services');
  await isSeen('/usr/bin/nl');
  expect(verified()).toMatch(/\nverified\n$/);
});

const WIPE = `set -e
systemctl stop ${SERVICES}
find /var/lib/hushwatch /var/lib/hushwatch-ship -mindepth 1 -delete
systemd-tmpfiles --create hushwatch-agent.conf
`;

test.skipIf(!isRoot)(`/var is wiped: the chain goes on from what the log has${WHY_SKIPPED}`, async () => {
  // An image brings these along, or a volume that stays.
  const kept = 'identity.key pseudonym.key approvals';
  node.run(`cd /var/lib/hushwatch; mkdir /root/kept; cp -a ${kept} /root/kept/`);
  node.run(`${WIPE}cp -a /root/kept/. /var/lib/hushwatch/; rm -r /root/kept; systemctl start ${SERVICES}`);
  await isSeen('/usr/bin/fold');
  expect(verified()).toMatch(/\nrestarted: node-1 at \d+ \(state-lost\)[^]*\nverified\n$/);

  // The keys are gone too: it is enrolled and admitted again.
  node.run(`${WIPE}hushwatch enroll /shared/node-1.invitation >/shared/node-1.again`);
  expect(collector.run('hushwatch collector admit --renew /shared/node-1.again')).toContain('node-1 may send now');
  node.run(`systemctl start ${SERVICES}`);
  await isSeen('/usr/bin/pr');
  expect(verified()).toMatch(/\nrestarted: node-1 at \d+ \(key-lost\)[^]*\nverified\n$/);
});

test.skipIf(!isRoot)(`removed, nothing is left${WHY_SKIPPED}`, () => {
  node.run('dpkg --purge hushwatch-agent');
  collector.run('dpkg --purge hushwatch-collector');
  for (const machine of [node, collector]) {
    const left = machine.run(
      "find / -xdev -name '*hushwatch*' -not -path '/var/lib/dpkg/*' -not -path '/var/log/*' -not -path '/proc/*' -not -path '/tmp/*'; getent passwd | grep hushwatch || true; systemctl list-units --all --no-legend 'hushwatch*'",
    );
    expect(left).toBe('');
  }
});
