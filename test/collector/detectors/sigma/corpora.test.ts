/**
 * Rules that others wrote: every SigmaHQ rule for Linux loads and plans as the table says, and every
 * regression event is matched by its rule at least as often as its author promises.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { loadMapping } from '../../../../collector/detectors/pack.ts';
import { compileRules } from '../../../../collector/detectors/sigma/compile.ts';
import { GENERIC } from '../../../../collector/detectors/sigma/mapping.ts';
import { clearOf, planRules } from '../../../../collector/detectors/sigma/plan.ts';
import { parseSigmaRule } from '../../../../collector/detectors/sigma/parse.ts';

const SIGMA = fileURLToPath(new URL('../../../../../shared/data/sigma/', import.meta.url));

const filesIn = (directory: string, extension: string): readonly string[] =>
  readdirSync(SIGMA + directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(extension))
    .toSorted()
    .map((name) => `${directory}/${name}`);

const rulesIn = (directory: string): ReturnType<typeof parseSigmaRule>[] =>
  filesIn(directory, '.yml').map((file) => parseSigmaRule(readFileSync(SIGMA + file, 'utf8'), file));

const LOG_LINES = 'needs log lines; of the journal only what is understood is kept';
const NO_HOST_NAME = 'no event carries DestinationHostname';
const NO_KEY = 'no event carries key';

/** Rules that cannot match here, and why. All others run. */
const BLIND: Readonly<Record<string, string>> = {
  'auditd/lnx_auditd_susp_c2_commands.yml': NO_KEY,
  'auditd/service_stop/lnx_auditd_disable_system_firewall.yml': 'no event carries type=SERVICE_STOP, unit',
  'auditd/syscall/lnx_auditd_clean_disable_dmesg_logs_via_syslog.yml': 'no event carries SYSCALL=syslog',
  'auditd/syscall/lnx_auditd_network_service_scanning.yml': NO_KEY,
  'auditd/syscall/lnx_auditd_susp_discovery_sysinfo_syscall.yml': 'no event carries SYSCALL=sysinfo',
  'auditd/syscall/lnx_auditd_susp_special_file_creation_via_mknod_syscall.yml': 'no event carries SYSCALL=mknod',
  'builtin/clamav/lnx_clamav_relevant_message.yml': LOG_LINES,
  'builtin/cron/lnx_cron_crontab_file_modification.yml': LOG_LINES,
  'builtin/guacamole/lnx_guacamole_susp_guacamole.yml': LOG_LINES,
  'builtin/lnx_apt_equationgroup_lnx.yml': LOG_LINES,
  'builtin/lnx_buffer_overflows.yml': LOG_LINES,
  'builtin/lnx_clear_syslog.yml': LOG_LINES,
  'builtin/lnx_file_copy.yml': LOG_LINES,
  'builtin/lnx_ldso_preload_injection.yml': LOG_LINES,
  'builtin/lnx_potential_susp_ebpf_activity.yml': LOG_LINES,
  'builtin/lnx_privileged_user_creation.yml': LOG_LINES,
  'builtin/lnx_shell_clear_cmd_history.yml': LOG_LINES,
  'builtin/lnx_shell_susp_commands.yml': LOG_LINES,
  'builtin/lnx_shell_susp_log_entries.yml': LOG_LINES,
  'builtin/lnx_shell_susp_rev_shells.yml': LOG_LINES,
  'builtin/lnx_shellshock.yml': LOG_LINES,
  'builtin/lnx_susp_dev_tcp.yml': LOG_LINES,
  'builtin/lnx_susp_jexboss.yml': LOG_LINES,
  'builtin/lnx_symlink_etc_passwd.yml': LOG_LINES,
  'builtin/sshd/lnx_sshd_susp_ssh.yml': LOG_LINES,
  'builtin/syslog/lnx_syslog_security_tools_disabling_syslog.yml': LOG_LINES,
  'builtin/syslog/lnx_syslog_susp_named.yml': LOG_LINES,
  'builtin/vsftpd/lnx_vsftpd_susp_error_messages.yml': LOG_LINES,
  'network_connection/net_connection_lnx_crypto_mining_indicators.yml': NO_HOST_NAME,
  'network_connection/net_connection_lnx_domain_localtonet_tunnel.yml': NO_HOST_NAME,
  'network_connection/net_connection_lnx_ngrok_tunnel.yml': NO_HOST_NAME,
};

/** Rules that run, but not in every branch, and what no event carries. */
const PARTLY: Readonly<Record<string, string>> = {
  'auditd/lnx_auditd_disable_aslr_protection.yml': 'SYSCALL=personality',
  'auditd/lnx_auditd_keylogging_with_pam_d.yml': 'type=TTY, type=USER_TTY',
};

describe('the 210 rules for Linux', () => {
  const rules = rulesIn('linux');
  const nothingReleased = planRules(rules, loadMapping(), new Set());

  test('all load', () => {
    expect(rules).toHaveLength(210);
  });

  test('those that are blind are those listed, for the reason listed', () => {
    const blind = nothingReleased.filter(({ runs }) => runs === 'blind');
    expect(Object.fromEntries(blind.map(({ rule, why }) => [rule.file.slice('linux/'.length), why]))).toEqual(BLIND);
  });

  test('those that run in part are those listed', () => {
    const partly = nothingReleased.flatMap(({ rule, runs, why }) => {
      const [, without] = why.split('; without ');
      return runs === 'blind' || without === undefined ? [] : [[rule.file.slice('linux/'.length), without] as const];
    });
    expect(Object.fromEntries(partly)).toEqual(PARTLY);
  });

  test('where nothing is released every rule that runs, runs on the node', () => {
    expect(nothingReleased.filter(({ runs }) => runs === 'node')).toHaveLength(210 - Object.keys(BLIND).length);
  });

  test('where all but arguments is released, rules on arguments still run on the node', () => {
    const mapping = loadMapping();
    const clear = new Set(
      nothingReleased
        .flatMap(({ bound }) => bound.flatMap(({ event, needs }) => needs.map((need) => `${event} ${need}`)))
        .filter((need) => !need.endsWith('command_args')),
    );
    const plan = planRules(rules, mapping, clear);
    for (const { rule, runs, why, bound } of plan) {
      if (bound.length === 0) continue;
      const readsArguments = bound.some(({ needs }) => needs.some((need) => need.endsWith('command_args')));
      expect(runs, `${rule.file}: ${why}`).toBe(readsArguments ? 'node' : 'collector');
    }
  });

  test('only what is kept counts as released in clear', () => {
    const row = { event: 'process.exec', attribute: 'process.user.name', leaves: true };
    expect(clearOf([{ ...row, do: 'keep' }])).toEqual(new Set(['process.exec process.user.name']));
    for (const rule of ['allow', 'pseudonym', 'path', 'argv']) expect(clearOf([{ ...row, do: rule }]).size).toBe(0);
    expect(clearOf([{ ...row, leaves: false, do: 'keep' }]).size).toBe(0);
  });

  test('quiet on a plain command', () => {
    const matcher = compileRules(rules, loadMapping());
    const attributes = {
      'process.executable.path': '/usr/bin/make',
      'process.parent.executable.path': '/usr/bin/bash',
      'process.command_args': ['make', 'all'],
    };
    expect(matcher.match({ name: 'process.exec', attributes })).toEqual([]);
  });
});

describe('regression events', () => {
  const rules = new Map(rulesIn('regression-rules').map((rule) => [rule.id, rule]));
  const files = [...filesIn('regression', '.json'), ...filesIn('regression', '.raw')];
  const cases = files.map((file) => ({ file, id: basename(file).replace(/\.(json|raw)$/, '') }));

  test('each rule has one', () => {
    expect(cases.map(({ id }) => id).toSorted()).toEqual([...rules.keys()].toSorted());
  });

  test.each(cases)('$file', ({ file, id }) => {
    const rule = rules.get(id);
    const info = readFileSync(SIGMA + file.replace(/[^/]*$/, 'info.yml'), 'utf8');
    const promised = /match_count: (\d+)/.exec(info)?.[1];
    const matcher = compileRules(rule === undefined ? [] : [rule], GENERIC);
    const text = readFileSync(SIGMA + file, 'utf8');
    const events = file.endsWith('.raw') ? [{ line: text }] : eventsIn(text);
    const matches = events.filter((attributes) => matcher.match({ name: 'windows', attributes }).length > 0);
    expect(matches.length).toBeGreaterThanOrEqual(Number(promised ?? 1));
  });
});

/** Windows events, one JSON after the other, as flat keys without spaces. */
function eventsIn(text: string): readonly Record<string, string | number | boolean>[] {
  return text.split(/(?<=^\})\n(?=\{)/m).map((json) => {
    const event = objectOf(objectOf(JSON.parse(json))['Event'] ?? {});
    const flat: Record<string, string | number | boolean> = {};
    for (const part of [event['System'], event['EventData'], event]) {
      for (const [key, value] of Object.entries(objectOf(part ?? {}))) {
        if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
          flat[key.replaceAll(' ', '')] = value;
        }
      }
    }
    return flat;
  });
}

function objectOf(value: unknown): Record<string, unknown> {
  expect(value).toBeTypeOf('object');
  return Object.fromEntries(Object.entries(value ?? {}));
}
