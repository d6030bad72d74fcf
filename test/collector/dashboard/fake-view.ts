/** A state to look at: two nodes, one of them weaker, some alerts, events that come from an attacker. */
import type { Story } from '../../../collector/detectors/detector.ts';
import { tellAlone } from '../../../collector/detectors/stories.ts';
import type { AlertRow } from '../../../collector/findings.ts';
import { State, type NodeRow } from '../../../collector/state.ts';
import type { TokenSource } from '../../../collector/tokens.ts';
import type { LocatedRecord, StateView } from '../../../collector/view.ts';
import { fakePrivacy } from './fake-privacy.ts';
import { fakeTuning } from './fake-tuning.ts';

export const HOSTILE = `<script>document.title='owned'</script>"'><img src=x onerror=alert(1)>\u202egpj.exe`;
const NOW = Date.now() * 1_000;

const node = (name: string, more: Partial<NodeRow> = {}): NodeRow => ({
  ...{ name, role: 'generic', cohort: 'local', lastSequence: 4711, lastTime: NOW - 2e6, lastReceived: NOW - 1e6 },
  ...{ ruleset: 'c2ca00b5305b7a0d51e7030b63c56dd08172f9cc79cd655751aa5ed2d10d84c6', agentVersion: '0.1.0' },
  ...{
    sources: 'ebpf,host',
    epochs: { hours: 720, first: 690, last: 690, scopes: ['node'] },
    weaker: false,
    seen: 120_000,
    released: 98_765,
    merged: 21_235,
    sampled: 0,
    withheld: 0,
    lost: 0,
  },
  ...more,
});

export const alert = (seq: number, more: Partial<AlertRow> = {}): AlertRow => ({
  ...{
    id: seq.toString(16).padStart(32, '0'),
    seq,
    logIndex: seq,
    time: NOW - seq * 60e6,
    node: 'alpha',
    detector: 'sigma',
  },
  ...{
    rule: 'cbd5ba78-859d-47e3-964c-ea25bbd12400',
    title: `A cron job was added or changed (${seq})`,
    severity: 'high',
  },
  reason:
    'A cron job was added or changed: on alpha, /usr/bin/dash opened /etc/cron.d/p-7h42l3erul for writing as root.',
  ...{ silencedBy: 'a filter in cron-persistence.yml', attack: ['persistence', 'T1053.003'], entity: 'p-1', loss: 0 },
  ...{ events: [{ logIndex: seq, line: 0 }], story: seq.toString(16).padStart(32, 'f'), points: 48 },
  ...more,
});

const record = (
  line: number,
  more: Record<string, string | number | boolean | readonly string[]> = {},
): LocatedRecord => ({
  ...{ event: 'process.exec', time: NOW - line * 1e6, node: 'alpha', logIndex: 7, line },
  ...{
    'process.entity.id': 'p-1',
    'process.executable.path': '/usr/bin/dash',
    'process.command_args': ['sh', '-c', 'p-4711'],
  },
  ...more,
});

const storyAbout = (found: AlertRow): Story => ({
  ...tellAlone(found).story,
  id: found.story,
  measures: [{ what: 'connections of /usr/bin/curl an hour', value: 4_711, normal: { from: 0, to: 12 } }],
});

/** Nobody but the owner. */
export const NO_TOKENS: TokenSource = { find: () => undefined };

export interface FakeView extends StateView {
  add(alert: AlertRow): void;
}

export function fakeView(options: { readonly empty?: boolean } = {}): FakeView {
  const alerts: AlertRow[] = options.empty === true ? [] : [1, 2, 3, 4, 5].map((seq) => alert(seq));
  if (options.empty !== true) {
    alerts.push(
      alert(6, { title: HOSTILE, reason: `${HOSTILE} did it.`, severity: 'critical', loss: 12, node: 'beta' }),
    );
    alerts.push(
      alert(7, { severity: 'low', entity: undefined, events: [], detector: 'silence', title: 'A node fell silent' }),
    );
  }
  const nodes =
    options.empty === true ? [] : [node('alpha'), node('beta', { weaker: true, sources: 'host,proc', lost: 1_234 })];
  const records =
    options.empty === true
      ? []
      : [
          record(0),
          record(1, { 'process.command_args': [HOSTILE, 'x'.repeat(5_000)] }),
          record(2, { event: 'file.open', 'file.path': '/etc/cron.d/p-7h42l3erul' }),
        ];
  // Stories and what people say of them are kept by the real state: what it makes of them is what pages show.
  const state = State.open(':memory:');
  state.commitStep({ alerts: [], stories: alerts.map(storyAbout) });
  return {
    nodes: () => nodes,
    activity: (since, bucket) =>
      [0, 1, 2].map((i) => ({
        time: Math.floor((since + 60 * 60e6 - i * bucket) / bucket) * bucket,
        class: 'file',
        events: 100 * (i + 1),
      })),
    alerts: ({ limit, afterSeq }) =>
      afterSeq === undefined ? alerts.toReversed().slice(0, limit) : alerts.filter(({ seq }) => seq > afterSeq),
    alert: (id) => alerts.find((each) => each.id === id),
    stories: (query) => state.stories(query),
    story: (id) => state.story(id),
    lastStorySeq: () => state.lastStorySeq(),
    triage: state.triage,
    suggestion: async () => ({ filter: 'title: Not this\n' }),
    alertsOfStory: (id) => alerts.filter(({ story }) => story === id),
    verdicts: (story, afterSeq) => state.verdicts(story, afterSeq),
    judge: (verdict) => state.addVerdict(verdict),
    judgeAll: (filter, about, seen) => state.judgeAll(filter, about, seen),
    record: (act) => state.record(act),
    acts: (limit) => state.acts(limit),
    recentEvents: async () => records,
    eventAt: async (_, line) => records[line],
    eventsAt: async (places) => places.map(({ line }) => records[line]),
    lineage: async () => records.slice(0, 2),
    eventsOfEntity: async () => records,
    exposure: () => [
      {
        event: 'process.exec',
        attribute: 'process.parent.command_args',
        sensitivity: 'secret',
        do: 'drop',
        leaves: false,
        summary: 'nothing',
        why: 'Carries passwords.',
        for: [],
        reason: undefined,
      },
      {
        event: 'process.exec',
        attribute: 'process.command_args',
        sensitivity: 'secret',
        do: 'argv',
        leaves: true,
        summary: 'words',
        why: 'Flags tell what was done.',
        for: ['sigma'],
        reason: 'x',
      },
    ],
    privacy: fakePrivacy(NOW, HOSTILE, options.empty === true),
    tuning: fakeTuning({ now: NOW, hostile: HOSTILE, alerts, records }),
    onChange: (listener) => state.onChange(listener),
    add: (fresh) => {
      alerts.push(fresh);
      state.commitStep({ alerts: [], stories: [storyAbout(fresh)] });
    },
  };
}
