# An administrator looks around.
ps auxf; ss -tlnp; ip addr; df -h; mount; free; uptime; dmesg | tail -n 5; lsblk; ls -la /root /home /etc /tmp
systemctl list-units --failed --no-pager; systemctl list-timers --no-pager; journalctl --since -10min --no-pager | tail -n 20
tail -n 50 /var/log/syslog /var/log/auth.log; grep -c Accepted /var/log/auth.log
find /etc -newer /etc/hostname -type f; du -sh /var/log; getent passwd alex; dpkg -l | wc -l; cat /proc/cpuinfo /etc/os-release
