/**
 * Words that anybody may read: those that strangers wrote in public command lines and public detection rules, and a few
 * names of software that are in none of them. What a ruleset leaves readable must be among them, and be no person's name.
 */
import { readdirSync, readFileSync } from 'node:fs';

const DATA = new URL('../../../shared/data/', import.meta.url);

const CORPORA = ['nl2bash.cm', 'malicious.cm', 'atomic_linux_tests.json', 'execve_sample_auditd.log'];

function* publicTexts(): Generator<string> {
  for (const name of CORPORA) yield readFileSync(new URL(`commands/${name}`, DATA), 'utf8');
  const rules = new URL('sigma/linux/', DATA);
  for (const name of readdirSync(rules, { recursive: true, encoding: 'utf8' })) {
    if (name.endsWith('.yml')) yield readFileSync(new URL(name, rules), 'utf8');
  }
}

/** Software, options, files and endings of distributions that the corpora happen not to mention. */
const ALSO = `.gitconfig .kube .my.cnf .mysql_history .npmrc .pgpass .psql_history .pypirc .python_history .viminfo .xauthority abort acls
  agetty algorithm almost amend anacron anacrontab annotation apk apt-cache apt-key apt.conf.d aptitude asc aspx at.allow at.deny
  aureport authorized_keys2 autoremove autostart bare base32 bearer blocks body bpftool btmp burst ca-certificates.conf cacert
  capath caps cargo cer chars ciphers classify clients cmake cmp cnf colour cond consul containerd conv cpus crictl cron.log csr
  daemon.json daemon.log daemonize debian_frontend decompress delta deluser dependencies depmod deps describe detach digest
  dist-upgrade dockerd docx dpkg.log entropy entrypoint environ exports expose extensions extra faillog fast fdisk fetch flatpak
  foreground frozen fsck full-upgrade fuser gem getfacl getty go-rwx goto groupadd gshadow hostnamectl hosts.allow hosts.deny htop
  hushwatch icmp id_ecdsa id_ed25519 imap init.scope inittab insensitive inspect ipv is-active is-enabled itemize iter iterations
  jks kallsyms kdbx kern.log keyout keyring kibibytes kmsg kube kubelet kubepods kubepods.slice labels ld.so.cache ld.so.conf.d
  ld_library_path lib32 literal loginctl logrotate logrotate.conf logrotate.d losetup lsattr lsblk ltrace machine-id machine.slice
  mail.log masscan meminfo meter mixed mjs mkfs modprobe.d modules-load.d moduli mtu multiple mysqld namespaces neigh netplan newkey
  nftables.conf nginx.conf nocolor noheadings noninteractive noout npx nsenter nsswitch.conf oauth oflag origin p12 pacman pager
  paging pam.conf parted passwd- permit perms pfx pgp php-fpm pip pip3 pnpm podman pods policies postgresql postrouting property
  ptmx pubkey publish pythonpath qemu-img qemu-system-x86_64 quote quoting rc0.d rc1.d rc2.d rc3.d rc5.d realpath rebase recurse
  redis-cli redis-server referer registry requirements retries retry reuseaddr right rmmod row rows rsyslog.d runc runuser rust
  schema scope seccomp seed seek selector separator setpriv sha256sum sha512sum shadow- shuffle sighup sigkill signal signoff slice
  smtp snmp sport squash ssh-add ssh-agent ssh_config ssh_config.d sshd.pid sshd_config sshd_config.d step stty swapoff switch
  sysctl.d system.slice system_bus_socket tallylog thread threads tls toml traceroute tries trusted trusted.gpg.d u+rwx ulimit
  umount unmask until update-motd.d upstream uri user.slice utc vault virsh vmstat volumes warn wasm whereis whole wide words
  workdir worker xattrs xdg xlsx yum.repos.d zst zstd zypper
  splash amd_iommu confidentiality debugfs emergency enforce enforcing ima_appraise initrd intel_iommu iommu landlock lockdown
  lsm maxcpus mitigations module.sig_enforce nokaslr nomodeset nopti nosmap nosmep panic yama`;

/** Programs, files and directories of IC-OS, which is public, and what libvirt brings. */
const NODES = `-rbash accounts_ssh_authorized_keys allow_limited_console attach-device bitcoin-mainnet-adapter
  bitcoin-testnet-adapter boundary canister_sandbox chcon collector_textfile compiler_sandbox config.json crypto-csp
  cryptsetup cups custom-metrics.sh danted danted.conf destroy detach-device detect-first-boot.sh
  dogecoin-mainnet-adapter dogecoin-testnet-adapter dumpxml efi export-guestos-serial-logs.sh fstrim fstrim_tool gcore
  getenforce guest_upgrade_client guest_vm_runner guestos guestos-recovery-launcher guestos-recovery-upgrader
  guestos-upgrade guestos_tool hostos https-outcalls-adapter ic-boundary ic-boundary-tls.crt ic-boundary-tls.key
  ic-btc-adapter ic-btc-mainnet-adapter.json5 ic-btc-testnet-adapter.json5 ic-crypto-csp ic-doge-mainnet-adapter.json5
  ic-doge-testnet-adapter.json5 ic-gateway ic-https-outcalls-adapter ic-https-outcalls-adapter.json ic-node ic.json5
  ic_adapter ic_consensus_pool ic_registry_local_store ic_state install-upgrade.sh ipmitool json5 kcore libvirt
  libvirt-sock libvirt-sock-ro libvirtd limited-console lvs manageboot.sh metrics-proxy metrics-proxy.yaml metrics_tool
  nft-exporter nftables-ruleset node_exporter nvme orchestrator page_deltas prom provision-ssh-keys.sh
  qemu-monitor-command rbash read-ssh-keys.sh readonly remote_attestation_server replica restorecon sandbox_launcher
  slot slots sync_fstrim.sh systemd-cat upgrade-commit upgrade-install veritysetup virtlogd vsock_host`;

/** Given names and surnames: never public, whoever wrote them. */
const PEOPLE = new Set(
  `adam alan alex alexander alice amir andrea andreas andrew angela anna anne anthony antonio arthur barbara ben bernd bob brian
  carlos carol caroline charles charlotte chen chloe chris christian christine claudia daniel david deborah dennis diana diego dmitri
  eduardo elena elias elizabeth emily emma eric erik eva felix fernando fiona frank franz fred gabriel george georg hannah hans
  heather helen henry igor ines ivan jack jacob james jan jane jason jean jennifer jens jessica jim joan johannes john jonas jorge
  jose joseph juan julia julian jun karen karl kate katharina kevin kim klaus kumar lars laura lea lee leo linda lisa louis lucas
  lucy luis lukas marco maria marie martin mary matthew megan michael miguel mohammed monica nadia nancy natalia nicolas nina
  nora oliver olivia omar oscar pablo patricia patrick paul pedro peter philip priya rachel raj rebecca ricardo richard robert
  robin roland rosa ruth ryan samuel sandra sara sarah sebastian simon sofia sophie stefan stephen steven susan sven thomas tim
  timo tobias tom ulrich ursula victor wang wei william yan yuki zhang
  smith jones brown taylor wilson johnson williams miller davis garcia rodriguez martinez kowalski nowak novak schmidt schneider
  fischer meyer weber wagner becker hoffmann rossi russo ferrari dubois moreau ivanov petrov singh khan tanaka suzuki nguyen`.split(
    /\s+/,
  ),
);

const seen = new Set<string>();
for (const text of [...publicTexts(), ALSO, NODES]) {
  for (const word of text.toLowerCase().split(/[^a-z0-9_+.[-]+/)) {
    seen.add(word);
    for (const part of word.split(/[-_.+]/)) seen.add(part);
  }
}

/** Whether a word that stays readable tells nothing but which software runs. */
export function isPublicWord(word: string): boolean {
  const lower = word.toLowerCase();
  if (PEOPLE.has(lower)) return false;
  return seen.has(lower) || seen.has(lower.replace(/^[.-]/, '')) || /^[^A-Za-z0-9]*$/.test(word);
}
