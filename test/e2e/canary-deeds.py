# What people do with secrets, done for real: programs run with them as arguments, in the environment, as directory; files,
# sockets, memory, threads and names asked for that are called so. Nothing here leaves the machine or changes it.
#
#   python3 canary-deeds.py WORKDIR < deeds.json
#
# A deed is {"do": ..., "text": ..., "args": [...]}; texts hold a byte a character, so that they may be no UTF-8.
import ctypes, json, os, socket, sys

work = os.fsencode(sys.argv[1])
libc = ctypes.CDLL(None)
TRUE = b"/bin/true"
done = {}


def run(program, args, env=None, cwd=None):
    pid = os.fork()
    if pid == 0:
        try:
            if cwd is not None:
                os.chdir(cwd)
            os.execve(program, args, env or {})
        finally:
            os._exit(127)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def exec_(text, args):
    return run(TRUE, args)


def env(text, args):
    return run(TRUE, [b"true"], {b"API_TOKEN": text, b"HOME": b"/home/" + text, text.replace(b"=", b"_"): b"1"})


def cwd(text, args):
    path = os.path.join(work, b"d-" + text)
    os.mkdir(path)
    return run(TRUE, [b"true"], cwd=path)


def program(text, args):
    path = os.path.join(work, text)
    os.link(os.path.join(work, b".true"), path)
    return run(path, [text])


def file(text, args):
    one, two, three = (os.path.join(work, prefix + text) for prefix in (b"f-", b"g-", b"h-"))
    os.close(os.open(one, os.O_CREAT | os.O_WRONLY, 0o600))
    os.chmod(one, 0o4755)
    os.rename(one, two)
    os.symlink(text, three)
    os.link(two, one)
    os.truncate(two, 0)
    os.setxattr(two, b"user.x", text)
    for path in (one, two, three):
        os.unlink(path)
    return 0


def unix(text, args):
    for name in (os.path.join(work, b"s-" + text[:40]), b"\0" + text[:90]):
        with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
            server.bind(name)
            server.listen()
            client.connect(name)
    return 0


def dns(text, args):
    labels = [text[i : i + 40] for i in range(0, len(text), 40)] + [b"example"]
    question = b"".join(bytes([len(label)]) + label for label in labels) + b"\0\0\1\0\1"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.83.67.1", 53))
        client.sendto(b"\x12\x34\1\0\0\1\0\0\0\0\0\0" + question, ("127.83.67.1", 53))
        asked, peer = server.recvfrom(4096)
        # The answer points to another name with the secret in it.
        alias = bytes([min(len(text), 40)]) + text[:40] + b"\5cname\0"
        answer = b"\xc0\x0c\0\5\0\1\0\0\0\1" + len(alias).to_bytes(2, "big") + alias
        server.sendto(b"\x12\x34\x81\x80\0\1\0\1\0\0\0\0" + question + answer, peer)
        client.recv(4096)
    return 0


def memory(text, args):
    fd = os.memfd_create(text[:200].decode("latin1"))
    os.write(fd, open(TRUE, "rb").read())
    return run(b"/proc/self/fd/%d" % fd, [text])


def thread(text, args):
    libc.prctl(15, text[:15], 0, 0, 0)
    return run(TRUE, [b"true"])


def script(text, args):
    path = os.path.join(work, b"r-" + text)
    with open(path, "wb") as out:
        out.write(b"#!/bin/sh\n: " + text.replace(b"\n", b" ").replace(b"'", b"").replace(b"`", b"") + b"\nexit 0\n")
    os.chmod(path, 0o755)
    return run(path, [text, text])


DEEDS = {"exec": exec_, **{f.__name__: f for f in (env, cwd, program, file, unix, dns, memory, thread, script)}}

for deed in json.load(sys.stdin):
    name = deed["do"]
    failed = DEEDS[name](deed["text"].encode("latin1"), [arg.encode("latin1") for arg in deed.get("args", [])])
    count = done.setdefault(name, [0, 0])
    count[0] += 1
    count[1] += failed != 0 and name not in ("script",)

json.dump(done, sys.stdout)
