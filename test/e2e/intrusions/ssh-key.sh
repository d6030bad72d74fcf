# Somebody leaves a key: for root, then for everybody, by another file that the daemon reads.
. "$(dirname "$0")/scene.sh"
mkdir -p /root/.ssh
deed ssh-authorized-keys
echo 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKeyOfSomebodyElse someone@elsewhere' >>/root/.ssh/authorized_keys
mkdir -p /etc/ssh/sshd_config.d
deed ssh-daemon-configuration
printf 'PermitRootLogin yes\nAuthorizedKeysFile /etc/ssh/keys\n' >/etc/ssh/sshd_config.d/50-cloud.conf
