"""Two datacenters that have no IPv4 at all, in a network namespace of this
process: agents, client, gateways and commands at addresses of fd00::/8.
"""
import ctypes
import json
import os
import subprocess
import unittest

from lab import ALIVE, Lab, binary, members
from federation import GATEWAY, HTTP, Place, Server, alive_wan, at, states

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
NODES = ("1", "2", "9", "a", "b")


def network(number):
    """What a datacenter's nodes are at: servers, a client, a gateway."""
    return {"servers": [Place(f"fd00:{number}::1")],
            "gateway": Place(f"fd00:{number}::a", f"fd00:{number}::b")}


def enter_namespace():
    """From here on this process, and those that it starts, have the loopback
    device alone, with these addresses, and no IPv4 on it."""
    flags = CLONE_NEWNET | (CLONE_NEWUSER if os.geteuid() else 0)
    user = os.geteuid()
    if ctypes.CDLL(None, use_errno=True).unshare(flags) != 0:
        raise unittest.SkipTest("no network namespace may be made here: "
                                + os.strerror(ctypes.get_errno()))
    if user:
        with open("/proc/self/uid_map", "w") as file:
            file.write(f"0 {user} 1")
    def ip(*words):
        subprocess.run(["ip", *words], check=True)
    ip("link", "set", "lo", "up")
    ip("-4", "addr", "flush", "dev", "lo")
    for number in (1, 2):
        for node in NODES:
            ip("-6", "addr", "add", f"fd00:{number}::{node}/128", "dev", "lo")


class IPv6(Lab):
    places = {"dc1": network(1), "dc2": network(2)}

    @classmethod
    def setUpClass(cls):
        enter_namespace()
        super().setUpClass()

    def cli(self, *words, address=None):
        """Output of a command that asks an agent."""
        address = address or at(self.place("dc1").lan, HTTP)
        done = subprocess.run([binary(), *words, f"-http-addr={address}"],
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def place(self, dc):
        return self.federation.servers[dc][0].place

    def test_1_federation(self):
        """Both WAN pools are whole, gateways are told with their addresses,
        and a read of dc2 that dc1 is asked for comes through them."""
        both = {"server1.dc1", "server1.dc2"}
        want = {dc: [gateway.place.wan]
                for dc, gateway in self.federation.gateways.items()}
        for dc in self.places:
            server = self.federation.servers[dc][0]
            self.wait(f"the WAN pool in {dc}",
                      lambda s=server: alive_wan(s) == both, 60)
            self.wait(f"federation states in {dc}",
                      lambda s=server: states(s) == want, 60)
        asked = self.federation.servers["dc1"][0]
        nodes = self.wait("an answer of dc2",
                          lambda: asked.get("/v1/catalog/nodes?dc=dc2"))
        self.assertEqual([node["Address"] for node in nodes], ["fd00:2::1"])
        name = "server1.server.dc2.consul"
        for gateway in self.federation.gateways.values():
            self.assertGreater(gateway.connections_for(name), 0)

    def test_2_client(self):
        """A client agent joins by an address in brackets, passes calls on, and
        its service, checked by TCP and HTTP, is found with its address."""
        tls = self.federation.tls
        self.federation.run("tls", "cert", "create", "-client")
        stem = os.path.join(tls, "dc1-client-consul-0")
        config = {
            "node_name": "client", "datacenter": "dc1",
            "bind_addr": "fd00:1::9", "client_addr": "fd00:1::9",
            "retry_join": [at("fd00:1::1", 8301)], "retry_interval": "1s",
            "encrypt": self.federation.key, "verify_outgoing": True,
            "cert_file": f"{stem}.pem", "key_file": f"{stem}-key.pem",
            "ca_file": os.path.join(tls, "consul-agent-ca.pem"),
            "data_dir": os.path.join(self.federation.folder, "client-data"),
        }
        client = Server(self.federation, "client", "dc1", Place("fd00:1::9"),
                        config)
        self.federation.servers["dc1"].append(client)
        client.start()
        agent = at(self.place("dc1").lan, HTTP)
        self.wait("the client to reach a server",
                  lambda: client.get("/v1/status/leader"))
        self.assertTrue(client.put("/v1/agent/service/register", {
            "Name": "web", "Port": HTTP, "Checks": [
                {"TCP": agent, "Interval": "1s"},
                {"HTTP": f"http://{agent}/v1/status/leader",
                 "Interval": "1s"}]}), client.refusal)
        found = self.wait("the service to pass", lambda: self.federation
                          .servers["dc1"][0].get("/v1/health/service/web"
                                                 "?passing"))
        self.assertEqual(found[0]["Node"]["Address"], "fd00:1::9")
        self.assertEqual(members(client)["client"]["Status"], ALIVE)

    def test_3_commands(self):
        """Commands take and show addresses in brackets."""
        self.assertIn("[fd00:1::1]:8301", self.cli("members"))
        self.assertIn("[fd00:2::1]:8302", self.cli("members", "-wan"))
        self.assertIn("[fd00:1::1]:8300",
                      self.cli("operator", "raft", "list-peers"))
        self.assertIn(at("fd00:2::b", GATEWAY),
                      self.cli("federation", "gateways"))
        self.cli("join", "[fd00:1::1]:8301",
                 address="http://" + at("fd00:1::9", HTTP))
        status = json.loads(self.cli("federation", "status", "-format=json"))
        self.assertTrue(status)
        tls = self.federation.tls
        stem = os.path.join(tls, "dc1-server-consul-0")
        self.assertIn("[fd00:2::b]:8443  - ", self.cli(
            "federation", "check",
            f"-gateway={at('fd00:2::b', GATEWAY)}",
            f"-ca-file={tls}/consul-agent-ca.pem",
            f"-client-cert={stem}.pem", f"-client-key={stem}-key.pem", "dc2"))
