"""The gateway under what nobody should send: 8,000 connections that say nothing,
clients that are slow or no TLS, targets that are dead or dumb. All are closed
and counted, and others are served meanwhile. Ends with 0 if all holds.

usage: gateway_bad.py PATH_OF_ISTHMUS
"""
import os, resource, socket, sys, threading, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from gateway_lives import Echo, Gateway, agent_with, ends, hears, until
from gateway_splice import HELLO, NAME

SILENT, PER_SOURCE = 8000, 500
# A loaded machine has time; alone on it, it is a few milliseconds.
P99_S = 0.5


def hello_for(name):
    """As long as that for NAME, so that no length in it changes."""
    assert len(name) == len(NAME), name
    return HELLO.replace(NAME.encode(), name.encode())


class Dumb:
    """Accepts, and says nothing."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.port = self.listener.getsockname()[1]


class Dead:
    """Was never there."""

    def __init__(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]


def connect(port, first, source="127.0.0.1"):
    link = socket.socket()
    link.setsockopt(socket.IPPROTO_IP, 24, 1)    # IP_BIND_ADDRESS_NO_PORT
    link.bind((source, 0))
    link.settimeout(30)
    link.connect(("127.0.0.1", port))
    link.sendall(first)
    return link


def slow(port, ended):
    """A byte now and then, for ever."""
    link = connect(port, b"")
    try:
        for byte in HELLO:
            link.sendall(bytes((byte,)))
            time.sleep(0.2)
    except OSError:
        ended.append("slow")
    link.close()


class Honest(threading.Thread):
    """New connections, one after the other, and how long each took."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.took, self.over, self.failed = port, [], False, None

    def run(self):
        try:
            while not self.over:
                began = time.monotonic()
                hears(connect(self.port, HELLO, "127.0.0.5"), HELLO).close()
                self.took.append(time.monotonic() - began)
                time.sleep(0.002)
        except BaseException as error:
            self.failed = error

    def p99(self):
        return sorted(self.took)[len(self.took) * 99 // 100]


def flood(gateway, honest):
    ended = []
    slow_ones = [threading.Thread(target=slow, args=(gateway.port, ended),
                                  daemon=True) for _ in range(20)]
    for thread in slow_ones:
        thread.start()
    silent = [connect(gateway.port, b"", "127.1.0.%d" % (i // PER_SOURCE + 1))
              for i in range(SILENT)]
    for first in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"SSH-2.0-x\r\n",
                  b"\0" * 100, b"\x16\x03\x01\0\0"):
        assert ends(connect(gateway.port, first))
    assert ends(connect(gateway.port, hello_for("x1" + NAME[2:])))
    assert ends(connect(gateway.port, hello_for("s!" + NAME[2:])))
    assert ends(connect(gateway.port, hello_for("s2" + NAME[2:])))    # dead
    dumb = connect(gateway.port, hello_for("s3" + NAME[2:]))
    whole = connect(gateway.port, b"")
    for byte in hello_for("S1.SERVER" + NAME[9:]):
        whole.sendall(bytes((byte,)))
    hears(whole, hello_for("S1.SERVER" + NAME[9:])).close()
    for link in silent:
        assert ends(link)
    for thread in slow_ones:
        thread.join(20)
    assert len(ended) == 20, ended
    dumb.settimeout(30)
    assert ends_late(dumb)
    until("all to be gone", lambda: gateway.gauge("open") <= 2)
    counts = {reason: gateway.count("refused", reason) for reason in
              ("slow", "not_tls", "malformed", "no_route", "dial_failed")}
    assert counts == {"slow": SILENT + 20, "not_tls": 3, "malformed": 2,
                      "no_route": 1, "dial_failed": 1}, counts
    # The gateway's own probe may have met that one too.
    assert gateway.count("ended", "silent") >= 1


def ends_late(link):
    try:
        return link.recv(1) == b""
    except ConnectionResetError:
        return True


def main(binary):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    targets = ("s1", Echo()), ("s2", Dead()), ("s3", Dumb())
    agent = agent_with(*targets)
    with Gateway(binary, agent, "-workers=2") as gateway:
        gateway.ready()
        honest = Honest(gateway.port)
        honest.start()
        flood(gateway, honest)
        honest.over = True
        honest.join()
        assert honest.failed is None, honest.failed
        assert honest.p99() < P99_S, honest.p99()
        print(f"{len(honest.took)} honest connections meanwhile, p99 "
              f"{honest.p99() * 1000:.1f} ms")
        gateway.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
