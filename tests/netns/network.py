"""Hosts, switches and cables out of network namespaces, with iproute2. A name
belongs to this process: what a dead one left behind is taken away first.
"""
import contextlib
import ctypes
import http.client
import os
import re
import socket
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "demo"))

from federation import HTTP, Place  # noqa: E402

CLONE_NEWNET = 0x40000000
ESTABLISHED = "01"  # in /proc/net/tcp
PREFIX = "isthmus"
_libc = ctypes.CDLL(None, use_errno=True)


class NoNamespaces(Exception):
    """The kernel does not let us."""


def ip(*words):
    done = subprocess.run(["ip", *words], capture_output=True, text=True)
    if done.returncode != 0:
        raise NoNamespaces(f"ip {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def _setns(handle):
    if _libc.setns(handle, CLONE_NEWNET) != 0:
        error = ctypes.get_errno()
        raise NoNamespaces(f"setns: {os.strerror(error)}")


@contextlib.contextmanager
def inside(namespace):
    """This thread's new sockets are of that namespace."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    try:
        _setns(there)
        try:
            yield
        finally:
            _setns(home)
    finally:
        os.close(there)
        os.close(home)


class HostPlace(Place):
    """A host of its own: processes and questions run in its namespace."""

    def __init__(self, namespace, lan, wan=None):
        super().__init__(lan, wan, ["ip", "netns", "exec", namespace])
        self.namespace = namespace

    def connect(self, address, timeout=10):
        """A TCP connection from this host."""
        with inside(self.namespace):
            return socket.create_connection(address, timeout)

    def http(self, method, path, body=None, port=HTTP, timeout=10):
        connection = http.client.HTTPConnection(self.lan, port,
                                                timeout=timeout)
        connection.sock = self.connect((self.lan, port), timeout)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def peers(self):
        """Whom this host has TCP connections with, in both directions."""
        with inside(self.namespace), \
                open("/proc/thread-self/net/tcp") as file:
            rows = [line.split() for line in file.readlines()[1:]]
        return {socket.inet_ntoa(bytes.fromhex(row[2][:8])[::-1])
                for row in rows if row[3] == ESTABLISHED}

    def route(self, verb, *words):
        ip("-n", self.namespace, "route", verb, *words)

    def forward(self, on):
        with inside(self.namespace), \
                open("/proc/sys/net/ipv4/ip_forward", "w") as file:
            file.write("1" if on else "0")


class Network:
    """Makes namespaces; close() takes all of them away."""

    def __init__(self):
        self._made = []
        self._cables = 0
        self._sweep()

    def _sweep(self):
        """What others left that are dead."""
        for line in ip("netns", "list").splitlines():
            found = re.match(rf"({PREFIX}(\d+)-\S+)", line)
            if found and not os.path.exists(f"/proc/{found[2]}"):
                ip("netns", "del", found[1])

    def _namespace(self, name):
        name = f"{PREFIX}{os.getpid()}-{name}"
        ip("netns", "add", name)
        self._made.append(name)
        ip("-n", name, "link", "set", "lo", "up")
        return name

    def switch(self, name):
        namespace = self._namespace(name)
        ip("-n", namespace, "link", "add", "switch", "type", "bridge")
        ip("-n", namespace, "link", "set", "switch", "up")
        return namespace

    def _plug(self, host, interface, address, switch):
        self._cables += 1
        port = f"port{self._cables}"
        ip("link", "add", interface, "netns", host, "type", "veth",
           "peer", "name", port, "netns", switch)
        ip("-n", switch, "link", "set", port, "master", "switch", "up")
        ip("-n", host, "address", "add", f"{address}/24", "dev", interface)
        ip("-n", host, "link", "set", interface, "up")

    def host(self, name, lan, lan_switch, wan=None, wan_switch=None):
        """A host on its datacenter's network; with wan, on the common one
        too."""
        namespace = self._namespace(name)
        self._plug(namespace, "lan", lan, lan_switch)
        if wan:
            self._plug(namespace, "wan", wan, wan_switch)
        return HostPlace(namespace, lan, wan)

    def wan_host(self, name, lan, lan_switch, wan):
        """A host on its datacenter's network, and an end of the WanLink."""
        place = self.host(name, lan, lan_switch)
        place.wan = wan
        return place

    def close(self):
        for name in reversed(self._made):
            subprocess.run(["ip", "netns", "del", name], check=False)
        self._made.clear()


class WanLink:
    """The WAN among hosts of wan_host(), with delay, jitter, loss and
    reordering: tests/netns/wanlink.c."""

    def __init__(self, binary, places, *options):
        ends = [f"{place.namespace}={place.wan}" for place in places]
        self._process = subprocess.Popen(
            [binary, *options, *ends], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)
        if self._process.stdout.readline() != "ready\n":
            raise NoNamespaces("the WAN link did not start")
        for place in places:
            ip("-n", place.namespace, "address", "add", f"{place.wan}/24",
               "dev", "wan")
            ip("-n", place.namespace, "link", "set", "wan", "up")

    def counts(self):
        """What passed so far: {"passed": ..., "lost": ..., ...}"""
        self._process.stdin.write("?")
        self._process.stdin.flush()
        words = self._process.stdout.readline().split()
        return {key: int(value)
                for key, value in (word.split("=") for word in words)}

    def close(self):
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()
