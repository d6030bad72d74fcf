# The administrator installs a package and thinks better of it, in turn: tools, and daemons with users and units of their own.
set -- tree jq htop rsync redis-server at bc file strace tcpdump
shift "$(($(date +%s) / 300 % $#))"
export DEBIAN_FRONTEND=noninteractive
apt-get install --yes --no-download --no-install-recommends "$1"
sleep 5
dpkg --listfiles "$1" | head -n 3
apt-get purge --yes --autoremove "$1"
