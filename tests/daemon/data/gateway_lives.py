"""The gateway's process as operators meet it: several workers, an access log,
PROXY headers both ways, a drain, and a hand-over to its successor. Ends with 0
if all holds.

usage: gateway_lives.py PATH_OF_ISTHMUS
"""
import os, re, signal, socket, struct, subprocess, sys, tempfile, threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from gateway_run import Agent, counter, free_port, get, server, until
from gateway_splice import HELLO, NAME

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
LINE = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z from=(\S+) "
                  r"name=(\S+) to=(\S+) in=(\d+) out=(\d+) ms=\d+ end=(\w+)$")


def header(source, target):
    pack = socket.inet_aton
    return SIGNATURE + struct.pack("!BBH", 0x21, 0x11, 12) + \
        pack(source[0]) + pack(target[0]) + \
        struct.pack("!HH", source[1], target[1])


class Echo:
    """Echoes what it hears, a thread a connection; notes the first bytes."""

    def __init__(self, ip="127.0.0.1"):
        self.listener = socket.create_server((ip, 0), backlog=500)
        self.ip, self.port = ip, self.listener.getsockname()[1]
        self.first = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            link = self.listener.accept()[0]
            threading.Thread(target=self.serve, args=(link,),
                             daemon=True).start()

    def serve(self, link):
        try:
            data = link.recv(1 << 16)
            self.first.append(data)
            while data:
                link.sendall(data)
                data = link.recv(1 << 16)
        except OSError:
            pass
        link.close()


class Gateway:
    def __init__(self, binary, agent, *flags, port=None):
        self.port, self.admin = port or free_port(), free_port()
        self.log = tempfile.NamedTemporaryFile("w+")
        self.process = subprocess.Popen(
            [binary, "gateway", "-register", "-expose-servers",
             f"-address=127.0.0.1:{self.port}",
             f"-wan-address=127.0.0.1:{self.port}",
             f"-http-addr=127.0.0.1:{agent.http.server_port}",
             f"-admin-addr=127.0.0.1:{self.admin}", "-token=secret", *flags],
            stderr=self.log)

    def ready(self):
        until("ready", lambda: get(self.admin, "/ready")[0] == 200)
        return self

    def count(self, name, label=None):
        return counter(self.admin, "isthmus.gateway." + name, label)

    def gauge(self, name):
        return sum(g["Value"] for g in get(self.admin, "/metrics")[1]["Gauges"]
                   if g["Name"] == "isthmus.gateway." + name)

    def stop(self):
        self.process.terminate()
        code = self.process.wait(20)
        assert code == 0, code

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if kind is not None:
            with open(self.log.name) as log:
                sys.stderr.write(log.read())


def connect(port, first=HELLO, source="127.0.0.1"):
    link = socket.create_connection(("127.0.0.1", port), 10,
                                    source_address=(source, 0))
    link.sendall(first)
    return link


def hears(link, data):
    assert link.recv(len(data), socket.MSG_WAITALL) == data
    return link


def ends(link):
    """Nothing more comes, by an end or a reset."""
    link.settimeout(10)
    try:
        return link.recv(1) == b""
    except ConnectionResetError:
        return True


def agent_with(*targets):
    agent = Agent(free_port())
    agent.http.handle_error = lambda *_: None
    agent.change(servers=[server(n, t.port) for n, t in targets], sites={})
    return agent


def log_lines(path, count):
    until(f"{count} lines", lambda: os.path.exists(path) and
          len(open(path).readlines()) >= count)
    lines = [LINE.match(line.rstrip("\n")) for line in open(path)]
    assert len(lines) == count and all(lines), open(path).read()
    return [line.groups() for line in lines]


def access(binary, folder):
    """A line a connection, joined or refused; SIGHUP opens the file anew."""
    path, echo = folder + "/access", Echo()
    agent = agent_with(("s1", echo))
    with Gateway(binary, agent, "-workers=3", f"-access-log={path}") as gateway:
        gateway.ready()
        asked = gateway.count("connections", NAME)
        os.rename(path, path + ".0")    # what the probe left
        gateway.process.send_signal(signal.SIGHUP)
        until("a new file", lambda: os.path.exists(path))
        for number in range(20):
            link = hears(connect(gateway.port), HELLO)
            source = "%s:%d" % link.getsockname()
            link.close()
            line = log_lines(path, number + 1)[number]
            assert line == (source, NAME, f"127.0.0.1:{echo.port}",
                            str(len(HELLO)), str(len(HELLO)), "finished"), line
        assert ends(connect(gateway.port, b"GET / HTTP/1.1\r\n\r\n"))
        assert log_lines(path, 21)[20][1:] == ("-", "-", "0", "0", "not_tls")
        assert gateway.count("connections", NAME) == asked + 20
        assert gateway.count("target.bytes_in", f"127.0.0.1:{echo.port}") >= \
            20 * len(HELLO)
        assert gateway.count("hello_bytes") >= 20 * len(HELLO)
        # Nobody else can have the address, shared or not.
        with Gateway(binary, agent, port=gateway.port) as second:
            assert second.process.wait(20) == 1
            assert "-address" in open(second.log.name).read()
        gateway.stop()


def proxy_headers(binary, _):
    echo = Echo()
    agent = agent_with(("s1", echo))
    inner_client, outer = ("198.51.100.7", 4711), ("203.0.113.9", 8443)
    told = header(inner_client, outer)
    with Gateway(binary, agent, "-proxy-protocol-in=127.0.0.2/32",
                 "-proxy-protocol-out=127.0.0.1/32") as gateway:
        gateway.ready()
        # From a trusted source: what it tells is passed on.
        hears(connect(gateway.port, told + HELLO, "127.0.0.2"), told + HELLO)
        # From anybody else: who it is; and a header of its own is no TLS.
        link = connect(gateway.port)
        hears(link, header(link.getsockname(), link.getpeername()) + HELLO)
        assert ends(connect(gateway.port, told + HELLO))
        assert gateway.count("refused", "not_tls") == 1
        # Trusted sources have to have one, and a whole one.
        assert ends(connect(gateway.port, HELLO, "127.0.0.2"))
        assert ends(connect(gateway.port, told[:13] + b"\x99" + told[14:16] +
                            b"\xff" * 2000, "127.0.0.2"))
        assert gateway.count("refused", "proxy_header") == 2
        # Byte by byte, with a type-length-value that nobody knows.
        long = SIGNATURE + struct.pack("!BBH", 0x21, 0x11, 19) + told[16:] + \
            b"\xe0\0\4abcd"
        link = connect(gateway.port, b"", "127.0.0.2")
        for byte in long + HELLO:
            link.sendall(bytes((byte,)))
        hears(link, told + HELLO)
        # The proxy's own health check names nobody.
        link = connect(gateway.port, SIGNATURE + b"\x20\0\0\0" + HELLO,
                       "127.0.0.2")
        hears(link, header(link.getsockname(), link.getpeername()) + HELLO)
        gateway.stop()


def drain(binary, _):
    """What stands goes on for its time; nobody new comes."""
    echo = Echo()
    agent = agent_with(("s1", echo))
    with Gateway(binary, agent, "-workers=2", "-drain-timeout=3") as gateway:
        gateway.ready()
        links = [hears(connect(gateway.port), HELLO) for _ in range(8)]
        began = time.monotonic()
        gateway.process.terminate()
        until("deregistered", lambda: agent.services == {})

        def refused():
            try:
                connect(gateway.port).close()
                return False
            except OSError:
                return True
        until("nobody listens", refused)
        for link in links:
            link.sendall(b"still here")
            hears(link, b"still here")
        for link in links[1:]:
            link.close()
        assert ends(links[0])    # its time is over
        assert time.monotonic() - began >= 2.9
        assert gateway.process.wait(10) == 0
    with Gateway(binary, agent, "-drain-timeout=60") as gateway:
        gateway.ready()
        link = hears(connect(gateway.port), HELLO)
        gateway.process.terminate()
        until("deregistered", lambda: agent.services == {})
        link.close()    # the last one: no need to wait
        assert gateway.process.wait(10) == 0
    with Gateway(binary, agent, "-drain-timeout=60") as gateway:
        gateway.ready()
        link = hears(connect(gateway.port), HELLO)
        gateway.process.terminate()
        until("deregistered", lambda: agent.services == {})
        gateway.process.terminate()    # asked twice
        assert gateway.process.wait(10) == 0


CASES = {case.__name__: case for case in (access, proxy_headers, drain)}


def main(binary, *names):
    with tempfile.TemporaryDirectory() as folder:
        for name in names or CASES:
            CASES[name](binary, folder)


if __name__ == "__main__":
    main(*sys.argv[1:])
