"""What the interop tests share: datacenters of live agents on loopback
addresses of their own (127.11.0.0/16 and up, so that a demo may run beside
them), and a base class whose datacenter lives as long as its tests.
"""
import contextlib
import os
import socket
import sys
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "demo"))

from federation import (GATEWAY, SERVER, Failure, Federation, Place,  # noqa: E402
                        alive_wan, leading, states, wait)

ALIVE, LEAVING, LEFT, FAILED = 1, 2, 3, 4
VECTORS = os.path.join(ROOT, "tests", "libgossip", "data")


def binary():
    return os.environ["ISTHMUS"]


def servers_at(network, count):
    """Places for count servers on 127.<network>.0.1 and up."""
    return [Place(f"127.{network}.0.{i + 1}") for i in range(count)]


class Lab(unittest.TestCase):
    """Tests that share one federation, in the order of their names."""

    places = {}       # as for Federation
    settings = {}

    @classmethod
    def setUpClass(cls):
        cls.federation = Federation(binary(), cls.places, cls.settings)
        cls.addClassCleanup(cls._clean)
        cls.federation.start()
        for dc, servers in cls.federation.servers.items():
            cls.federation.wait(f"a leader in {dc}",
                                lambda s=servers: leading(s))

    @classmethod
    def _clean(cls):
        wrong = cls.federation.stop()
        if wrong:
            raise Failure(f"at the end: {'; '.join(wrong)}; "
                          f"logs: {cls.federation.folder}")
        if not os.environ.get("KEEP"):
            cls.federation.remove()

    def wait(self, what, condition, timeout=30.0):
        return self.federation.wait(what, condition, timeout)


def members(server, wan=False):
    """{name: member} by one of our agents."""
    listed = server.get("/v1/agent/members" + ("?wan=1" if wan else "")) or []
    return {member["Name"]: member for member in listed}


def status_of(server, name):
    return members(server).get(name, {}).get("Status")


def counter(server, name, **labels):
    """The sum of a counter's series that bear these labels."""
    metrics = server.get("/v1/agent/metrics") or {}
    return sum(series["Count"] for series in metrics.get("Counters", [])
               if series["Name"] == name
               and labels.items() <= series["Labels"].items())


@contextlib.contextmanager
def moves(test, server, name, by=1, **labels):
    """The block moves that counter, by exactly so many."""
    before = counter(server, name, **labels)
    yield
    words = f"{name} {labels} to move by {by} from {before}"
    wait(words, lambda: counter(server, name, **labels) >= before + by, 5)
    test.assertEqual(counter(server, name, **labels), before + by, words)


def ended(connection, within=5.0):
    """Seconds until the other end closed; fails if it says anything first."""
    connection.settimeout(within)
    began = time.monotonic()
    try:
        said = connection.recv(4096)
    except socket.timeout:
        raise AssertionError(f"still open after {within} s") from None
    except OSError:      # a reset, or a TLS alert
        said = b""
    if said:
        raise AssertionError(f"expected the end, got {said[:80]!r}")
    return time.monotonic() - began
