# What the night brings: logs rotate, cron's daily jobs run, temporary files go.
logger --tag shop 'the night has come'
logrotate --force /etc/logrotate.conf
run-parts /etc/cron.daily
systemd-tmpfiles --clean
journalctl --rotate
