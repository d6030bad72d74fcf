# Nobody was here: the guard is sent away, logs are emptied and deleted, the shell forgets.
. "$(dirname "$0")/scene.sh"
echo before >>/var/log/auth.log
echo before >>/var/log/wtmp
echo before >>/root/.bash_history
mkdir -p bin && cp /bin/true bin/systemctl
deed defence-stopped
bin/systemctl stop auditd
deed log-emptied
: >/var/log/auth.log
deed log-deleted
rm -f /var/log/wtmp
deed history-disabled
bash -c 'unset HISTFILE; set +o history; id' >/dev/null
deed history-deleted
rm -f /root/.bash_history
