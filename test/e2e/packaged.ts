/** The packages of this tree on two machines that a cable connects: a collector, and a node that it admitted. */
import { VERSION } from '../../agent/build.ts';
import { buildPackages } from '../../deploy/deb/build.ts';
import { MachineRoom, type Machine } from './machine-room.ts';

export const HOME = '/var/lib/hushwatch-collector';

/** What the guide tells the operator of a collector to do. */
export const COLLECTOR = `set -e
dpkg -i /shared/hushwatch-collector_${VERSION}_amd64.deb >/dev/null
runuser -u hushwatch-collector -- hushwatch collector init --home ${HOME} --origin logs.example.org/hushwatch
mkdir /root/reviewer; cd /root/reviewer
hushwatch rules key reviewer-one --out one.key >one.pub
{ echo quorum 1; cat one.pub; } >${HOME}/reviewers
rules=/usr/lib/hushwatch-collector
hushwatch rules approve $rules/rulesets/generic-linux.yaml --key one.key --name reviewer-one --out ruleset.approval
hushwatch rules approve --pack $rules/rules --version 1 --key one.key --name reviewer-one --out pack.approval
systemctl enable --now hushwatch-collector.service
hushwatch rules publish ruleset.approval --collector ${HOME} --ruleset $rules/rulesets/generic-linux.yaml
hushwatch rules publish pack.approval --collector ${HOME}
hushwatch collector invite --node node-1 --url wss://10.77.0.2/v1/ship >/shared/node-1.invitation
`;

/** A node and a collector of plain Debian, with a cable between them. */
export async function connectedPair(
  room: MachineRoom,
): Promise<{ readonly node: Machine; readonly collector: Machine }> {
  const [node, collector] = await room.boot('node', 'collector');
  if (node === undefined || collector === undefined) throw new Error('two machines were asked for');
  connect(node, collector);
  return { node, collector };
}

export function connect(node: Machine, collector: Machine): void {
  node.connect(collector, ['10.77.0.1/24', '10.77.0.2/24']);
}

/** Everything runs when it returns. */
export async function packagedPair(
  room: MachineRoom,
): Promise<{ readonly node: Machine; readonly collector: Machine }> {
  await buildPackages({ out: room.shared, fast: true });
  const { node, collector } = await connectedPair(room);
  collector.run(COLLECTOR);
  node.run(`dpkg -i /shared/hushwatch-agent_${VERSION}_amd64.deb 2>&1`);
  node.run('hushwatch enroll /shared/node-1.invitation >/shared/node-1.entry');
  collector.run('hushwatch collector admit /shared/node-1.entry');
  node.run('systemctl enable --now hushwatch.target');
  await node.until('systemctl is-active hushwatch-agent hushwatch-shipper hushwatch-sensor', 'the services');
  await node.until('hushwatch status', 'events to be seen, signed and received', 120_000);
  return { node, collector };
}
