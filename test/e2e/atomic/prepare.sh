# What the tests expect to find, made before they run: histories, keys, files to be packed, deleted, decoded.
cd /root
mkdir -p .ssh .aws /tmp/victim-files /tmp/victim-folder /tmp/T1030 /tmp/T1222 /var/log/journal /var/spool/mail /etc/audit
mkdir -p /tmp/AtomicRedTeam/atomics/T1222.002 /usr/local/etc
echo x >/tmp/AtomicRedTeam/atomics/T1222.002/T1222.002.yaml
for file in .bash_history .history .ssh/authorized_keys .aws/credentials .netrc /home/.netrc victim-gzip.txt; do echo secret >"$file"; done
for file in victim-files/T1070.004-test.txt victim-shred.txt T1070.006-access.txt T1070.006-modification.txt adversary-scp evil-binary; do echo x >"/tmp/$file"; done
for file in messages secure syslog auth.log security; do echo x >"/var/log/$file"; done
echo x >/var/spool/mail/root
echo x >/etc/audit/auditd.conf
[ -f /root/.ssh/id_rsa ] || ssh-keygen -q -t rsa -b 1024 -N '' -f /root/.ssh/id_rsa
head -c 12000000 /dev/zero >/tmp/T1030/T1030_urandom
printf '#!/bin/sh\nid\n' | base64 >/tmp/encoded.dat
printf '#!/bin/sh\nsh -c "secret=PASS; sleep 4; : T1003.007" >/dev/null 2>&1 &\n' >/tmp/T1003.007.sh
if command -v gcc >/dev/null; then
  echo 'int nothing;' >/tmp/nothing.c
  gcc -shared -fPIC -o /tmp/T1574006.so /tmp/nothing.c
fi
true
