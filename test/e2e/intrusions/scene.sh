# Read by every intrusion: a machine of its own to harm. Its /etc, /root, /home, /var/log and the rest lie in memory, in a
# mount namespace of its own, and are gone with it; so is every process, in a pid namespace of its own:
#
#   unshare --mount --pid --fork --uts sh SCRIPT WORKDIR WEB_PORT SINK_PORT
#
# `deed RULE` says what is about to be done, and when: milliseconds since 1970.
set -eu
work=$1
web=$2
sink=$3
mount -t proc proc /proc
mkdir -p "$work/layers"
mount -t tmpfs tmpfs "$work/layers"
for directory in /etc /root /home /var/log /var/spool /usr/local; do
  layer="$work/layers$directory"
  mkdir -p "$layer/upper" "$layer/work"
  mount -t overlay -o "lowerdir=$directory,upperdir=$layer/upper,workdir=$layer/work" overlay "$directory"
done
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mount -t tmpfs tmpfs /run
export HOME=/root
cd "$work"
deed() { printf '%s %s\n' "$1" "$(date +%s%3N)"; }
