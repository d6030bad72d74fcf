# What unattended upgrades do first.
apt-get update -qq || true
apt-get --simulate --quiet upgrade | tail -n 1
dpkg --audit
apt-cache policy openssl | head -n 3
