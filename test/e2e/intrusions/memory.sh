# Nothing touches the disk: a program from an anonymous file, one whose file is gone before it starts, one in shared memory.
. "$(dirname "$0")/scene.sh"
deed exec-memory-file
python3 -c '
import os
fd = os.memfd_create("loader")
os.write(fd, open("/bin/true", "rb").read())
os.execve(fd, ["sshd: root@pts/0"], os.environ)'
cp /bin/true /dev/shm/.x
deed exec-shared-memory
/dev/shm/.x
deed exec-deleted-file
python3 -c '
import os
fd = os.open("/dev/shm/.x", os.O_RDONLY)
os.unlink("/dev/shm/.x")
os.execve(fd, ["x"], os.environ)'
