"""A real Envoy as the gateway of a datacenter, told its routes by our agent."""
import contextlib
import io
import os
import socket
import ssl
import sys
import time
import types
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../demo"))
import demo  # noqa: E402
import federation  # noqa: E402
from envoy_lab import Envoy  # noqa: E402
from federation import GATEWAY, SERVER, Place  # noqa: E402
from lab import binary, counter, leading  # noqa: E402

CHANGES = 100
ALPN = "consul/wan-gossip/packet"


class WithEnvoy(federation.Federation):
    envoys = ("dc1",)

    def _make_datacenter(self, dc):
        super()._make_datacenter(dc)
        if dc in self.envoys:
            old = self.gateways[dc]
            self.gateways[dc] = Envoy(self, old.name, dc, old.place, old.agent)


class Demo(unittest.TestCase):
    def setUp(self):
        self.federation = WithEnvoy(binary(), demo.loopback_places())
        self.addCleanup(self.federation.remove)
        self.addCleanup(self.federation.stop)

    def test_the_demo(self):
        """every step of the demo, with Envoy as the gateway of the primary"""
        lines = io.StringIO()
        envoy = self.federation.gateways["dc1"]
        try:
            with contextlib.redirect_stdout(lines):
                demo.show(self.federation, demo.Steps(),
                          types.SimpleNamespace(keep=False))
        except Exception as failure:
            self.fail(f"{failure}\n{lines.getvalue()}{envoy.log()[-3000:]}")
        self.assertEqual({}, envoy.rejected())
        self.assertEqual([], envoy.not_warm())


class Changes(unittest.TestCase):
    """Two datacenters of one server, dc1 behind Envoy."""

    @classmethod
    def setUpClass(cls):
        cls.federation = WithEnvoy(binary(), {
            dc: {"servers": [Place(f"127.19.{number}.1")],
                 "gateway": Place(f"127.19.{number}.8", f"127.19.{number}.9")}
            for number, dc in enumerate(("dc1", "dc2"), 1)})
        cls.addClassCleanup(cls.federation.remove)
        cls.addClassCleanup(cls.federation.stop)
        cls.federation.start()
        cls.server = cls.federation.servers["dc1"][0]
        cls.envoy = cls.federation.gateways["dc1"]
        for dc, servers in cls.federation.servers.items():
            cls.federation.wait(f"a leader in {dc}",
                                lambda s=servers: leading(s))
        cls.federation.wait("the routes of both", lambda: (
            cls.envoy.page("/ready") and set(cls.envoy.endpoints()) >= {
                "server.dc2.consul", "server1.server.dc1.consul"}
            and all(cls.envoy.endpoints().values())
            and cls.envoy.server_names()), 60)

    def wait(self, what, condition, timeout=10):
        return self.federation.wait(what, condition, timeout)

    def connect(self, name, address=None):
        """TLS through Envoy to the server of that name, end to end."""
        tls = self.federation.tls
        context = ssl.create_default_context(
            cafile=os.path.join(tls, "consul-agent-ca.pem"))
        context.load_cert_chain(
            os.path.join(tls, "dc1-server-consul-0.pem"),
            os.path.join(tls, "dc1-server-consul-0-key.pem"))
        context.set_alpn_protocols([ALPN])
        place = self.envoy.place
        link = socket.create_connection((address or place.lan, GATEWAY), 10)
        try:
            return context.wrap_socket(link, server_hostname=name)
        except BaseException:
            link.close()
            raise

    def is_open(self, link, within=0.01):
        link.settimeout(within)
        try:
            return link.recv(1) != b""
        except (socket.timeout, ssl.SSLWantReadError):
            return True
        except OSError:
            return False

    def put_site(self, dc, *addresses):
        """An operator's record of a datacenter with these gateways."""
        self.wait(f"{dc} to be put", lambda: self.server.put(
            f"/v1/internal/federation-state/{dc}",
            {"Gateways": [f"{one}:{GATEWAY}" for one in addresses]}))

    def delete_site(self, dc):
        status, _, _ = self.server.place.http(
            "DELETE", f"/v1/internal/federation-state/{dc}")
        self.assertEqual(200, status)

    def change(self, number):
        """One of three kinds; what must then be true of Envoy's endpoints."""
        dc, address = f"far{number % 5}", f"127.19.9.{number % 200 + 1}"
        cluster = f"server.{dc}.consul"
        if number % 10 >= 8:
            self.delete_site("far1")
            return lambda at: "server.far1.consul" not in at
        addresses = [address] if number % 2 else [address, "127.19.9.250"]
        self.put_site(dc, *addresses)
        wanted = sorted(f"{one}:{GATEWAY}" for one in addresses)
        return lambda at: at.get(cluster) == wanted

    def test_changes_under_traffic(self):
        """100 changes of routes under traffic: each taken, nothing broken"""
        names = ("server1.server.dc1.consul", "server.dc1.consul",
                 "server1.server.dc2.consul")
        for name in names:
            self.wait(f"a way to {name}", lambda n=name: self.reaches(n), 30)
        standing = [self.connect(name) for name in names]
        standing.append(self.connect(names[0], self.envoy.place.wan))
        took = []
        for number in range(CHANGES):
            fits = self.change(number)
            began = time.monotonic()
            with self.connect(names[number % len(names)]) as link:
                self.assertEqual(ALPN, link.selected_alpn_protocol())
            self.wait(f"change {number} in Envoy",
                      lambda: fits(self.envoy.endpoints()))
            took.append(time.monotonic() - began)
        for link, name in zip(standing, names + names[:1]):
            self.assertTrue(self.is_open(link), f"{name} was closed")
            link.close()
        self.wait("listeners of the last routes", lambda: all(
            f"server.far{number}.consul" in chains
            for chains in self.envoy.server_names().values()
            for number in (0, 2, 3, 4)))
        self.wait("far1's to be gone", lambda: not any(
            name.endswith("server.far1.consul")
            for chains in self.envoy.server_names().values()
            for name in chains))
        self.check_all_taken()
        took.sort()
        print(f"       a change is in Envoy after {took[CHANGES // 2]:.3f} s, "
              f"at most {took[-1]:.3f} s")

    def check_all_taken(self):
        self.assertEqual({}, self.envoy.rejected())
        self.assertEqual([], self.envoy.not_warm())
        clusters = {one["cluster"]["name"] for one in self.envoy.dump(
            "ClustersConfigDump")["dynamic_active_clusters"]}
        endpoints = self.envoy.endpoints()
        self.assertEqual(clusters, set(endpoints))
        self.assertEqual([f"{self.server.place.lan}:{SERVER}"],
                         endpoints["server1.server.dc1.consul"])
        chains = self.envoy.server_names()
        self.assertEqual({"lan", "wan"}, set(chains))
        for names in chains.values():
            self.assertEqual(clusters, {name.removeprefix("*.")
                                        for name in names})
        self.assertEqual(0, counter(self.server, "isthmus.xds.rejected"))

    def test_what_has_no_route(self):
        """no TLS, no name, a foreign name: closed; case does not matter"""
        for name in ("example.com", "nobody.server.dc1.consul",
                     "x.server1.server.dc1.consul"):
            with self.subTest(name), self.assertRaises(OSError):
                self.connect(name).close()
        with socket.create_connection(
                (self.envoy.place.lan, GATEWAY), 10) as link:
            link.sendall(b"GET / HTTP/1.0\r\n\r\n")
            with contextlib.suppress(ConnectionResetError):
                self.assertEqual(b"", link.recv(100))
        self.connect("SERVER1.server.dc1.consul").close()

    def test_the_meta_decides(self):
        """clearing the meta takes the routes away, setting it brings them"""
        agent = self.envoy.agent
        service = agent.get("/v1/agent/services")[self.envoy.name]
        body = {"Kind": service["Kind"], "ID": service["ID"],
                "Name": service["Service"], "Address": service["Address"],
                "Port": service["Port"],
                "TaggedAddresses": service["TaggedAddresses"],
                "Check": {"CheckID": f"service:{service['ID']}",
                          "TTL": "30s", "Status": "passing"}}
        self.wait("a way", self.reaches)
        standing = self.connect("server1.server.dc1.consul")
        self.assertTrue(agent.put("/v1/agent/service/register", body))
        self.wait("no routes", lambda: self.envoy.endpoints() == {})
        self.wait("no names", lambda: set(map(
            tuple, self.envoy.server_names().values())) == {()})
        with self.assertRaises(OSError):
            self.connect("server1.server.dc1.consul")
        self.assertTrue(self.is_open(standing, 2),
                        "connections that stand go on")
        standing.close()
        body["Meta"] = {"consul-wan-federation": "1"}
        self.assertTrue(agent.put("/v1/agent/service/register", body))
        self.wait("routes", lambda: "server1.server.dc1.consul"
                  in self.envoy.endpoints())
        self.wait("a way", self.reaches)
        self.assertEqual({}, self.envoy.rejected())

    def reaches(self, name="server1.server.dc1.consul"):
        try:
            self.connect(name).close()
        except OSError:
            return False
        return True


if __name__ == "__main__":
    unittest.main()
