# Once after each boot: the host's new key is known, there is a site and a database.
su alex -c 'ssh-keyscan 127.0.0.1 2>/dev/null >~/.ssh/known_hosts'
for n in 1 2 3 4 5; do head -c 20000 /dev/urandom | base64 >/var/www/html/page$n.html; done
su postgres -c 'createuser alex && createdb -O alex shop'
su alex -c '/usr/lib/postgresql/*/bin/pgbench --initialize --quiet --scale=2 shop'
