# The shop at work, and its owner's questions.
su alex -c '/usr/lib/postgresql/*/bin/pgbench --client=2 --rate=40 --time=10 shop' 2>/dev/null
su alex -c "psql -qAt -c 'SELECT count(*), sum(abalance) FROM pgbench_accounts' shop"
su postgres -c 'psql -qAt -c "SELECT datname, numbackends FROM pg_stat_database"'
su postgres -c 'vacuumdb --quiet --analyze shop'
