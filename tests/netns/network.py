"""Three datacenters in network namespaces of their own.

    isth-dc1 10.1.0.1-3 ── 10.1.0.10 isth-gw1 198.18.0.10 ─┐
    isth-dc2 10.2.0.1   ── 10.2.0.10 isth-gw2 198.18.0.20 ─┼─ isth-wan (a bridge)
    isth-dc3 10.3.0.1   ── 10.3.0.10 isth-gw3 198.18.0.30 ─┘

A datacenter's hosts have a route to their own network and to the gateways' WAN
network (a secondary's first contact is a gateway of the primary), and to
nothing else: no host of one datacenter can reach one of another.
"""
import ctypes
import os
import socket
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../demo"))
from federation import Failure, Place  # noqa: E402

CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)


def ip(*words):
    done = subprocess.run(["ip", *words], capture_output=True, text=True)
    if done.returncode != 0:
        raise Failure(f"ip {' '.join(words)}: {done.stderr.strip()}")


def inside(namespace, work):
    """What work() returns when it runs in a namespace; sockets that it makes
    stay there."""
    result = {}

    def run():
        try:
            with open(f"/run/netns/{namespace}") as file:
                if LIBC.setns(file.fileno(), CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "setns")
            result["value"] = work()
        except BaseException as error:  # carried to the caller's thread
            result["error"] = error

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if "error" in result:
        raise result["error"]
    return result["value"]


class NamespacePlace(Place):
    """A node whose commands and requests run in a namespace."""

    def __init__(self, namespace, lan, wan=None):
        super().__init__(lan, wan, ["ip", "netns", "exec", namespace])
        self.namespace = namespace

    def http(self, *args, **kwargs):
        return inside(self.namespace, lambda: super(
            NamespacePlace, self).http(*args, **kwargs))

    def can_reach(self, address, port):
        def attempt():
            with socket.socket() as probe:
                probe.settimeout(2)
                return probe.connect_ex((address, port)) == 0
        return inside(self.namespace, attempt)


class Network:
    """Makes the namespaces; remove() takes away all that was made."""

    def __init__(self, servers):
        self.servers = servers  # {"dc1": 3, ...}
        self.namespaces = []

    def make(self):
        self._namespace("isth-wan")
        ip("-n", "isth-wan", "link", "add", "br0", "type", "bridge")
        ip("-n", "isth-wan", "link", "set", "br0", "up")
        for number, dc in enumerate(self.servers, 1):
            self._datacenter(number, dc)
        for number in range(1, len(self.servers) + 1):
            for other in range(1, len(self.servers) + 1):
                if other != number:  # the way back to who dialled a gateway
                    ip("-n", f"isth-gw{number}", "route", "add",
                       f"10.{other}.0.0/24", "via", f"198.18.0.{other}0")

    def _namespace(self, name):
        ip("netns", "add", name)
        self.namespaces.append(name)
        ip("-n", name, "link", "set", "lo", "up")

    def _cable(self, one, one_end, other, other_end):
        ip("link", "add", one_end, "netns", one, "type", "veth",
           "peer", "name", other_end, "netns", other)
        ip("-n", one, "link", "set", one_end, "up")
        ip("-n", other, "link", "set", other_end, "up")

    def _datacenter(self, number, dc):
        inner, gateway = f"isth-{dc}", f"isth-gw{number}"
        self._namespace(inner)
        self._namespace(gateway)
        self._cable(inner, "lan", gateway, "lan")
        self._cable(gateway, "wan", "isth-wan", f"gw{number}")
        ip("-n", "isth-wan", "link", "set", f"gw{number}", "master", "br0")
        for host in range(1, self.servers[dc] + 1):
            ip("-n", inner, "addr", "add", f"10.{number}.0.{host}/24",
               "dev", "lan")
        for host in (10, 20):  # the second for a gateway that replaces it
            ip("-n", gateway, "addr", "add", f"10.{number}.0.{host}/24",
               "dev", "lan")
            ip("-n", gateway, "addr", "add",
               f"198.18.0.{number}{host // 10 - 1}/24", "dev", "wan")
        ip("-n", inner, "route", "add", "198.18.0.0/24",
           "via", f"10.{number}.0.10")
        ip("netns", "exec", gateway, "sysctl", "-qw", "net.ipv4.ip_forward=1")

    def places(self):
        return {dc: {"servers": [NamespacePlace(f"isth-{dc}",
                                                f"10.{number}.0.{host}")
                                 for host in range(1, self.servers[dc] + 1)],
                     "gateway": NamespacePlace(f"isth-gw{number}",
                                               f"10.{number}.0.10",
                                               f"198.18.0.{number}0")}
                for number, dc in enumerate(self.servers, 1)}

    def remove(self):
        for name in reversed(self.namespaces):
            subprocess.run(["ip", "netns", "del", name], capture_output=True)
