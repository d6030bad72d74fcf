#!/bin/sh
# Makes the Debian root of a small server (web server, database, log-ins, cron, compiler), once, and prints where it is.
# The packages that its administrator installs later lie in its cache: the container they are installed in has no network.
# Never written to again, like the one of ../nspawn-root.sh. Needs root, debootstrap, Debian's mirror, and three minutes.
set -eu

suite=bookworm
packages=systemd,systemd-sysv,dbus,libpam-systemd,openssh-server,openssh-client,sudo,cron,iproute2,procps,passwd
packages=$packages,nginx-light,postgresql,logrotate,rsyslog,git,gcc,libc6-dev,make,vim-tiny,nano,curl,python3-minimal,less
# Installed and removed again by packages.sh.
later="tree jq htop rsync redis-server at bc file strace tcpdump"

cache=/var/cache/hushwatch-test
digest=$(sha256sum <"$0" | cut -c 1-12)
root="$cache/ordinary-$digest"

mkdir -p "$cache"
exec 9>"$cache/ordinary.lock"
flock 9
if [ ! -d "$root" ]; then
  printf 'ordinary: making %s, once\n' "$root" >&2
  rm -rf "$root.tmp"
  {
    debootstrap --variant=minbase --include="$packages" "$suite" "$root.tmp"
    cp /etc/resolv.conf "$root.tmp/etc/resolv.conf"
    # shellcheck disable=SC2086
    chroot "$root.tmp" sh -c "apt-get update && apt-get install --download-only --yes --no-install-recommends $later"
  } >"$cache/ordinary.log" 2>&1 || {
    tail -n 5 "$cache/ordinary.log" >&2
    exit 1
  }
  # A colleague who may administer it, with a key and a job of cron's: somebody set that up long ago.
  chroot "$root.tmp" sh -eu <<'END'
useradd --create-home --shell /bin/bash --groups sudo alex
printf '%%sudo ALL=(ALL:ALL) NOPASSWD: ALL\n' >/etc/sudoers.d/administrators
chmod 0440 /etc/sudoers.d/administrators
install -d -m 0700 -o alex -g alex /home/alex/.ssh
su alex -c 'ssh-keygen -q -t ed25519 -N "" -f ~/.ssh/id_ed25519; cp ~/.ssh/id_ed25519.pub ~/.ssh/authorized_keys'
cat >/usr/local/bin/backup-shop <<'SCRIPT'
#!/bin/sh
set -eu
pg_dump --file="$HOME/shop.sql.new" shop
gzip -f "$HOME/shop.sql.new"
mv "$HOME/shop.sql.new.gz" "$HOME/shop.$(date +%M).sql.gz"
find "$HOME" -name 'shop.*.gz' -mmin +30 -delete
SCRIPT
chmod 0755 /usr/local/bin/backup-shop
printf '*/2 * * * * /usr/local/bin/backup-shop\n' | crontab -u alex -
printf '#!/bin/sh\ntar czf /var/backups/etc.tar.gz /etc 2>/dev/null\n' >/etc/cron.daily/backup
chmod 0755 /etc/cron.daily/backup
END
  rm -f "$root.tmp"/etc/ssh/ssh_host_*
  : >"$root.tmp/etc/machine-id"
  mkdir -p "$root.tmp/etc/systemd/system/ssh.service.d"
  printf '[Service]\nExecStartPre=\nExecStartPre=/usr/bin/ssh-keygen -A\n' >"$root.tmp/etc/systemd/system/ssh.service.d/keys.conf"
  mv "$root.tmp" "$root"
fi
printf '%s\n' "$root"
