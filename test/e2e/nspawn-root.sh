#!/bin/sh
# Makes a Debian root for containers that tests start, once, and prints where it is. Quick when it is there.
#
#     root=$(sh test/e2e/nspawn-root.sh)
#     systemd-nspawn --directory="$root" --volatile=overlay --boot --register=no --keep-unit --private-network
#
# It is never written to again: `--volatile=overlay` keeps what a container does in memory. Another version of this file
# makes another root. May be called by several at once. Needs root, debootstrap and Debian's mirror, and a minute.
set -eu

suite=bookworm
packages=systemd,systemd-sysv,dbus,libpam-systemd,openssh-server,openssh-client,sudo,cron,iproute2,procps,passwd,openssl,libatomic1,libstdc++6

cache=/var/cache/hushwatch-test
digest=$(sha256sum <"$0" | cut -c 1-12)
root="$cache/root-$digest"

mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9
if [ ! -d "$root" ]; then
  printf 'nspawn-root: making %s, once\n' "$root" >&2
  rm -rf "$root.tmp"
  debootstrap --variant=minbase --include="$packages" "$suite" "$root.tmp" >"$cache/debootstrap.log" 2>&1 || {
    tail -n 5 "$cache/debootstrap.log" >&2
    exit 1
  }
  # Each container is a machine of its own: its keys and its name are made when it starts.
  rm -rf "$root.tmp/var/cache/apt" "$root.tmp/var/lib/apt/lists" "$root.tmp"/etc/ssh/ssh_host_*
  : >"$root.tmp/etc/machine-id"
  mkdir -p "$root.tmp/var/log/journal" "$root.tmp/etc/systemd/system/ssh.service.d"
  printf '[Service]\nExecStartPre=\nExecStartPre=/usr/bin/ssh-keygen -A\n' >"$root.tmp/etc/systemd/system/ssh.service.d/keys.conf"
  mv "$root.tmp" "$root"
fi
printf '%s\n' "$root"
