"""Gateways are replaced by another kind, and killed, while calls between
datacenters flow. docs/gateways.md says what callers may see of that.
"""
import http.client
import itertools
import json
import os
import subprocess
import threading
import time
import unittest

from lab import GATEWAY, Place, binary
from federation import ADMIN, gateway_addresses
from proxies_lab import BuiltIn, HAProxy, Nginx, OneOfEach

NETWORKS = {"dc1": 41, "dc2": 42, "dc3": 43}


def places_of(network):
    return {"servers": [Place(f"127.{network}.0.1")],
            "gateway": Place(f"127.{network}.0.10", f"127.{network}.0.11")}


def usable(server, dc):
    """WAN addresses of dc's gateways that have no critical check."""
    listed = server.get("/v1/internal/federation-states/mesh-gateways") or {}
    return gateway_addresses(
        gateway for gateway in listed.get(dc, [])
        if all(check["Status"] != "critical" for check in gateway["Checks"]))


def answers(gateway, name):
    """Whether a server shows its certificate through the gateway."""
    shown = subprocess.run(
        ["openssl", "s_client", "-alpn", "consul/wan-gossip/packet", "-connect",
         f"{gateway.place.lan}:{GATEWAY}", "-servername", name],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
    return "BEGIN CERTIFICATE" in shown.stdout


class Caller(threading.Thread):
    """Reads from another datacenter, and writes there, one call after the
    other. As documented: what failed is asked once more, a second later."""

    numbers = itertools.count()

    def __init__(self, server, to):
        super().__init__(daemon=True)
        self.server, self.to = server, to
        self.calls = self.retried = 0
        self.slowest = 0.0
        self.failed, self.written = [], set()
        self.over = threading.Event()

    def once(self, method, path, body):
        """None, or why it failed."""
        began = time.monotonic()
        try:
            status, _, text = self.server.place.http(method, path, body)
        except (OSError, http.client.HTTPException) as error:
            return str(error)
        finally:
            self.slowest = max(self.slowest, time.monotonic() - began)
        return None if status == 200 else f"{status} {text[:80]}"

    def call(self, method, path, value=None):
        body = None if value is None else json.dumps(value)
        self.calls += 1
        if self.once(method, path, body) is None:
            return True
        self.retried += 1
        time.sleep(1)
        why = self.once(method, path, body)
        if why is not None:
            self.failed.append(f"{self.server.dc} to {self.to}: {why}")
        return why is None

    def run(self):
        while not self.over.is_set():
            self.call("GET", f"/v1/catalog/nodes?dc={self.to}")
            name = f"node{next(self.numbers)}"
            if self.call("PUT", "/v1/catalog/register",
                         {"Datacenter": self.to, "Node": name,
                          "Address": "192.0.2.1"}):
                self.written.add(name)
            self.over.wait(0.02)


class Changes(unittest.TestCase):
    def setUp(self):
        self.federation = OneOfEach(binary(), {
            dc: places_of(network) for dc, network in NETWORKS.items()})
        self.addCleanup(self.federation.remove)
        self.addCleanup(self.federation.stop)
        self.federation.start()
        self.calling = []
        for dc, gateway in self.federation.gateways.items():
            self.known(gateway)

    def known(self, *gateways):
        """Until every datacenter has these, and no others, of theirs, and
        knows that they work."""
        dc = gateways[0].dc
        want = sorted(gateway.place.wan for gateway in gateways)
        for server in self.federation.all_servers():
            self.federation.wait(f"{dc}'s gateways {want} in {server.dc}",
                                 lambda: usable(server, dc) == want, 60)

    def make(self, kind, dc, number):
        """Another gateway of dc, at an address of its own."""
        network = NETWORKS[dc]
        gateway = kind(self.federation, f"gateway{number}", dc,
                       Place(f"127.{network}.0.{number}",
                             f"127.{network}.0.{number + 1}"),
                       self.federation.servers[dc][0])
        self.federation.further.append(gateway)
        gateway.start()
        self.federation.wait(
            f"{kind.kind} of {dc} to be ready",
            lambda: gateway.get("/ready", port=ADMIN))
        return gateway

    def start_calling(self):
        self.calling = [
            Caller(self.federation.servers[here][0], there)
            for here, there in itertools.permutations(NETWORKS, 2)]
        for caller in self.calling:
            caller.start()

    def some_calls(self, count=10):
        """Every caller gets so many more done."""
        want = [caller.calls + count for caller in self.calling]
        self.federation.wait(
            "more calls", lambda: all(caller.calls >= least for caller, least
                                      in zip(self.calling, want)), 60)

    def stop_calling(self):
        """Stops, and sees that nothing failed and nothing was lost."""
        for caller in self.calling:
            caller.over.set()
        for caller in self.calling:
            caller.join()
        self.assertEqual([], sum((c.failed for c in self.calling), []))
        for dc in NETWORKS:
            server = self.federation.servers[dc][0]
            nodes = {node["Node"] for node in server.get("/v1/catalog/nodes")}
            for caller in self.calling:
                if caller.to == dc:
                    self.assertLessEqual(caller.written, nodes)
        if os.environ.get("VERBOSE"):
            print(sum(c.calls for c in self.calling), "calls,",
                  sum(c.retried for c in self.calling), "asked again, slowest",
                  max(c.slowest for c in self.calling))

    def register(self, gateway, meta):
        """As an operator does: anew, with all but the meta as it was."""
        agent = gateway.agent
        service = agent.get("/v1/agent/services")[gateway.name]
        check = agent.get("/v1/agent/checks")[f"service:{gateway.name}"]
        self.assertTrue(agent.put("/v1/agent/service/register", {
            "Name": service["Service"], "Meta": meta,
            "Check": {"CheckID": check["CheckID"], "Name": check["Name"],
                      "TTL": "30s", "Status": check["Status"]},
            **{key: service[key] for key in
               ("ID", "Kind", "Address", "Port", "TaggedAddresses")}}),
            agent.refusal)

    def test_0_the_meta_decides(self):
        """of each kind: clearing the meta takes its routes away and itself out
        of the federation, setting it brings both back, as it runs"""
        federation = self.federation
        for dc, gateway in federation.gateways.items():
            with self.subTest(gateway.kind):
                name = f"server1.server.{dc}.consul"
                self.assertTrue(answers(gateway, name))
                self.register(gateway, {})
                federation.wait("no routes", lambda: gateway.get(
                    "/routes", port=ADMIN) == [])
                federation.wait("no answer",
                                lambda: not answers(gateway, name))
                self.register(gateway, {"consul-wan-federation": "1"})
                federation.wait("an answer", lambda: answers(gateway, name))
                self.known(gateway)

    def test_1_replaced_by_another_kind(self):
        """each gateway is replaced by one of another kind while calls flow:
        none fails"""
        federation = self.federation
        self.start_calling()
        self.some_calls()
        for dc, kind in (("dc1", Nginx), ("dc2", HAProxy), ("dc3", BuiltIn)):
            old = federation.gateways[dc]
            new = self.make(kind, dc, 20)
            self.known(old, new)
            old.stop()
            self.known(new)
            self.some_calls()
        self.stop_calling()

    def test_2_killed_one_after_the_other(self):
        """each kind is killed with -9 under load, beside another that is left,
        and comes back: no call fails"""
        federation = self.federation
        pairs = {dc: [federation.gateways[dc], self.make(kind, dc, 20)]
                 for dc, kind in (("dc1", Nginx), ("dc2", HAProxy),
                                  ("dc3", BuiltIn))}
        for pair in pairs.values():
            self.known(*pair)
        self.start_calling()
        self.some_calls()
        for gateway in sum(pairs.values(), []):
            gateway.kill()
            self.some_calls()
            gateway.start()
            federation.wait("it to be back",
                            lambda: gateway.get("/ready", port=ADMIN))
            self.some_calls()
        self.stop_calling()


if __name__ == "__main__":
    unittest.main()
