# Log-ins on loopback: a command, a copy, a look at the services with sudo, a key that is not known.
exec su alex -c 'sh -s' <<'END'
set -u
cd
ssh -o BatchMode=yes 127.0.0.1 'uptime; df -h / | tail -n 1; sudo systemctl status nginx --no-pager | head -n 3; sudo journalctl -u ssh -n 5 --no-pager'
date >note && scp -q -o BatchMode=yes note 127.0.0.1:copy
printf 'get copy back\nput note third\n' | sftp -q -b - 127.0.0.1 >/dev/null
ssh -o BatchMode=yes 127.0.0.1 'ps aux | wc -l; free -m; ss -ltn | wc -l; last | head -n 2; id; who; crontab -l'
ssh-keygen -q -t ed25519 -N '' -f other; ssh -o BatchMode=yes -o IdentitiesOnly=yes -i other 127.0.0.1 true; rm -f other other.pub
END
