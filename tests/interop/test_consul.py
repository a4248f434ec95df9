"""Debian's python3-consul, a client of Consul's HTTP API that shares no code
with us, drives a client agent of ours; and promtool reads its metrics.
"""
import http.server
import json
import subprocess
import sys
import threading
import time

from agents_lab import Agents

sys.path.append("/usr/lib/python3/dist-packages")  # where Debian has it
import consul  # noqa: E402


class Answers(http.server.BaseHTTPRequestHandler):
    """What an HTTP check asks; status is the test's to change."""

    status = 200

    def do_GET(self):
        self.send_response(Answers.status)
        self.end_headers()
        self.wfile.write(b"as you see")

    def log_message(self, *_):
        pass


class PythonConsul(Agents):
    def setUp(self):
        self.host = self.clients[0].place.lan
        self.consul = consul.Consul(host=self.host)

    def until(self, what, condition):
        return self.wait_for(what, condition, 20)

    def check(self, check_id):
        return self.consul.agent.checks().get(check_id, {})

    def status_of(self, name):
        """Status of a service's own check, by the catalog."""
        checks = self.consul.health.checks(name)[1]
        return checks[0]["Status"] if checks else None

    def test_status(self):
        """status: leader and peers."""
        server = f"{self.servers[0].place.lan}:8300"
        self.assertEqual(self.consul.status.leader(), server)
        self.assertEqual(self.consul.status.peers(), [server])

    def test_agent(self):
        """agent: self, members, join, force_leave, services, checks."""
        agent = self.consul.agent
        self.assertEqual(agent.self()["Config"]["NodeName"], "c1")
        self.assertEqual({member["Name"] for member in agent.members()},
                         {"s1", "c1"})
        self.assertTrue(agent.join(self.servers[0].place.lan))
        self.assertFalse(agent.force_leave("nobody"))
        self.assertEqual(agent.services(), {})

    def test_service_with_ttl(self):
        """agent.service and ttl_pass, ttl_warn, ttl_fail, with a blocking
        query that sees each."""
        service = self.consul.agent.service
        self.assertTrue(service.register(
            "web", service_id="web-1", address="10.0.0.7", port=80,
            tags=["a", "b"], check=consul.Check.ttl("30s")))
        self.until("the catalog to have it",
                   lambda: self.consul.catalog.service("web")[1])
        check = self.consul.agent.check
        for turn, status in ((check.ttl_pass, "passing"),
                             (check.ttl_warn, "warning"),
                             (check.ttl_fail, "critical")):
            index, _ = self.consul.health.service("web")
            self.assertTrue(turn("service:web-1", notes=f"it is {status}"))
            while True:
                index, found = self.consul.health.service(
                    "web", index=index, wait="10s")
                checks = {one["CheckID"]: one for one in found[0]["Checks"]}
                if checks["service:web-1"]["Status"] == status:
                    break
            self.assertEqual(checks["service:web-1"]["Output"],
                             f"it is {status}")
            self.assertEqual(checks["serfHealth"]["Status"], "passing")
        self.assertEqual(found[0]["Service"]["Tags"], ["a", "b"])
        self.assertEqual(self.consul.health.service("web", passing=True)[1],
                         [])
        self.assertEqual(len(self.consul.health.service("web", tag="b")[1]), 1)
        self.assertEqual(self.consul.health.service("web", tag="c")[1], [])
        self.assertTrue(service.deregister("web-1"))
        self.until("the catalog to have it no more",
                   lambda: not self.consul.catalog.service("web")[1])

    def test_service_with_http_and_tcp(self):
        """agent.service with HTTP and TCP checks, which the agent runs."""
        web = http.server.ThreadingHTTPServer((self.host, 0), Answers)
        threading.Thread(target=web.serve_forever, daemon=True).start()
        port = web.server_address[1]
        service = self.consul.agent.service
        service.register("page", check=consul.Check.http(
            f"http://{self.host}:{port}/", "1s", timeout="2s"))
        service.register("port", check=consul.Check.tcp(self.host, port, "1s"))
        for name in ("page", "port"):
            self.until(f"{name} to pass",
                       lambda n=name: self.status_of(n) == "passing")
        output = self.check("service:page")["Output"]
        self.assertIn("200 OK", output)
        self.assertIn("as you see", output)
        for status, word in ((429, "warning"), (500, "critical")):
            Answers.status = status
            self.until(f"{status} to be {word}",
                       lambda w=word: self.status_of("page") == w)
        web.shutdown()
        web.server_close()
        self.until("a closed port to be critical",
                   lambda: self.status_of("port") == "critical")
        for name in ("page", "port"):
            self.assertTrue(service.deregister(name))

    def test_checks(self):
        """agent.check: register, deregister, of the node and of a service."""
        check = self.consul.agent.check
        self.consul.agent.service.register("db")
        self.assertTrue(check.register("disk", consul.Check.ttl("1h")))
        self.assertTrue(check.register("alive", consul.Check.ttl("1h"),
                                       check_id="db-alive", service_id="db"))
        check.ttl_pass("disk")
        self.until("the catalog to have both", lambda: {
            "disk", "db-alive", "serfHealth"} <= {
                one["CheckID"] for one in self.consul.health.node("c1")[1]})
        self.until("the disk to be well", lambda: "disk" in {
            one["CheckID"] for one in self.consul.health.state("passing")[1]})
        self.assertTrue(check.deregister("disk"))
        self.assertTrue(check.deregister("db-alive"))
        self.until("the catalog to have neither", lambda: {
            one["CheckID"] for one in self.consul.health.node("c1")[1]
        } == {"serfHealth"})
        self.consul.agent.service.deregister("db")
        with self.assertRaises(consul.ConsulException):
            check.register("script", consul.Check.script("/bin/true", "10s"))

    def test_maintenance(self):
        """agent.maintenance and agent.service.maintenance."""
        self.consul.agent.service.register("shop")
        self.assertTrue(self.consul.agent.maintenance(True, "a new disk"))
        self.assertTrue(self.consul.agent.service.maintenance(
            "shop", True, "stocktaking"))
        self.assertEqual(self.check("_node_maintenance")["Notes"],
                         "a new disk")
        self.assertEqual(
            self.check("_service_maintenance:shop")["Status"], "critical")
        self.until("no healthy shop", lambda: not self.consul.health.service(
            "shop", passing=True)[1])
        self.assertTrue(self.consul.agent.maintenance(False))
        self.assertTrue(self.consul.agent.service.maintenance("shop", False))
        self.until("a healthy shop", lambda: self.consul.health.service(
            "shop", passing=True)[1])
        self.consul.agent.service.deregister("shop")

    def test_catalog(self):
        """catalog: register, nodes, services, node, service, deregister."""
        catalog = self.consul.catalog
        index, before = catalog.nodes()
        later = {}
        reader = threading.Thread(target=lambda: later.update(
            nodes=catalog.nodes(index=index, wait="20s")))
        reader.start()
        self.assertTrue(catalog.register(
            "printer", "10.1.7.7",
            service={"Service": "lpd", "Port": 515, "Tags": ["v1"]},
            check={"Name": "paper", "Status": "passing", "ServiceID": "lpd"}))
        reader.join(10)
        self.assertGreater(later["nodes"][0], index)
        self.assertEqual({node["Node"] for node in later["nodes"][1]},
                         {node["Node"] for node in before} | {"printer"})
        self.assertEqual(catalog.services()[1]["lpd"], ["v1"])
        self.assertEqual(catalog.service("lpd")[1][0]["ServicePort"], 515)
        self.assertEqual(
            catalog.node("printer")[1]["Services"]["lpd"]["Tags"], ["v1"])
        self.assertIsNone(catalog.node("nobody")[1])
        for mode in ("stale", "consistent", "default"):
            self.assertTrue(catalog.nodes(consistency=mode)[1])
        self.assertEqual(catalog.datacenters(), ["dc1"])
        self.assertTrue(catalog.deregister("printer"))
        self.assertNotIn("lpd", catalog.services()[1])

    def test_filters(self):
        """Reads by node meta and by several tags; near, for every list."""
        client = self.clients[0]
        for node, rack, tags in (("n1", "a", ["x", "y"]), ("n2", "b", ["x"])):
            self.assertTrue(client.put("/v1/catalog/register", {
                "Node": node, "Address": "10.1.1.1",
                "NodeMeta": {"rack": rack, "os": "linux"},
                "Service": {"Service": "racked", "Tags": tags},
                "Check": {"Name": node, "Status": "warning",
                          "ServiceID": "racked"}}))

        def nodes(path):
            return {one.get("Node") if isinstance(one.get("Node"), str)
                    else one["Node"]["Node"] for one in client.get(path)}
        for path, wanted in (
                ("catalog/nodes?node-meta=rack:a", {"n1"}),
                ("catalog/nodes?node-meta=os:linux", {"n1", "n2"}),
                ("catalog/nodes?node-meta=os:linux&node-meta=rack:b", {"n2"}),
                ("catalog/service/racked?node-meta=rack:c", set()),
                ("catalog/service/racked?tag=x&tag=y", {"n1"}),
                ("health/service/racked?tag=x", {"n1", "n2"}),
                ("health/service/racked?tag=x&node-meta=rack:b", {"n2"}),
                ("health/checks/racked?node-meta=rack:b", {"n2"}),
                ("health/state/warning?node-meta=rack:a", {"n1"})):
            with self.subTest(path):
                self.assertEqual(nodes(f"/v1/{path}"), wanted)
        self.assertEqual(set(client.get(
            "/v1/catalog/services?node-meta=rack:a")), {"racked"})
        for near, other in (("c1", "s1"), ("s1", "c1")):
            self.wait_for(f"{other} to be second from {near}", lambda: [
                node["Node"] for node in client.get(
                    f"/v1/catalog/nodes?near={near}")] == [
                        near, other, "n1", "n2"])
        states = client.get("/v1/health/state/any?near=_agent")
        self.assertEqual(states[0]["Node"], "c1")
        for node in ("n1", "n2"):
            client.put("/v1/catalog/deregister", {"Node": node})

    def test_browsers(self):
        """A write by GET is a program's: not with a browser's headers."""
        self.consul.agent.service.register("safe")
        for header in ("Origin", "Referer", "Sec-Fetch-Site"):
            done = subprocess.run(
                ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}",
                 "-H", f"{header}: http://evil.example/",
                 f"http://{self.host}:8500/v1/agent/service/deregister/safe"],
                capture_output=True, text=True)
            self.assertEqual(done.stdout, "405")
        self.assertIn("safe", self.consul.agent.services())
        self.assertTrue(self.consul.agent.service.deregister("safe"))

    def test_unknown_datacenter(self):
        """An unknown datacenter is an error, and at once."""
        began = time.monotonic()
        with self.assertRaisesRegex(consul.ConsulException,
                                    "No path to datacenter"):
            self.consul.catalog.nodes(dc="nowhere")
        self.assertLess(time.monotonic() - began, 2)

    def test_event(self):
        """event: fire, list, and a list that waits."""
        index, _ = self.consul.event.list()
        later = {}
        reader = threading.Thread(target=lambda: later.update(
            events=self.consul.event.list(index=index, wait="20s")))
        reader.start()
        fired = self.consul.event.fire("deploy", "v2")
        self.assertEqual(fired["Name"], "deploy")
        reader.join(10)
        last = later["events"][1][-1]
        self.assertEqual((last["Name"], last["Payload"]), ("deploy", b"v2"))
        server = consul.Consul(host=self.servers[0].place.lan)
        self.until("the server to hear it", lambda: fired["ID"] in {
            event["ID"] for event in server.event.list("deploy")[1]})

    def test_metrics(self):
        """promtool finds nothing to complain about on the metrics page."""
        for agent in self.servers + self.clients:
            page = agent.place.http(
                "GET", "/v1/agent/metrics?format=prometheus")[2]
            done = subprocess.run(["promtool", "check", "metrics"], input=page,
                                  capture_output=True)
            self.assertEqual((done.returncode, done.stdout + done.stderr),
                             (0, b""))

    def test_bad_requests(self):
        """Wrong method, path, parameter and body: status and one sentence."""
        cases = [
            ("POST", "/v1/catalog/nodes", None, 405, "GET"),
            ("GET", "/v1/nothing", None, 404, "path"),
            ("GET", "/v1/catalog/nodes?index=x", None, 400, "index"),
            ("GET", "/v1/catalog/nodes?wait=x", None, 400, "wait"),
            ("GET", "/v1/catalog/nodes?node-meta=x", None, 400, "node-meta"),
            ("GET", "/v1/catalog/nodes?stale&consistent", None, 400,
             "exclude"),
            ("GET", "/v1/health/state/odd", None, 400, "no state"),
            ("PUT", "/v1/agent/check/pass/odd", None, 404, "check ID"),
            ("PUT", "/v1/agent/check/register", "{", 400, "line 1, column"),
            ("PUT", "/v1/agent/check/register", "{}", 400, "TTL"),
            ("PUT", "/v1/agent/check/register",
             json.dumps({"Name": "x", "TTL": "1s", "ServiceID": "no"}), 404,
             "does not exist"),
            ("PUT", "/v1/agent/maintenance", None, 400, "enable"),
            ("PUT", "/v1/agent/join/127.0.0.1?wan", None, 400, "server"),
        ]
        for method, path, body, status, words in cases:
            with self.subTest(f"{method} {path}"):
                got, _, text = self.clients[0].place.http(method, path, body)
                text = text.decode()
                self.assertEqual((got, words in text), (status, True), text)
                self.assertNotIn("\n", text)


GRANTS = [
    {"secret_id": "agents-token", "node": "write", "service": "write"},
    {"secret_id": "users-token", "agent": "read", "event": "write",
     "node": "read", "service": "write"},
    {"secret_id": "writers-token", "node": "write", "service": "write"},
]


class PythonConsulWithToken(Agents):
    """The same client where nothing is allowed without a token."""

    network = 73
    settings = {"acl": {"enabled": True, "default_policy": "deny",
                        "tokens": {"agent": "agents-token"},
                        "grants": GRANTS}}

    def setUp(self):
        self.host = self.clients[0].place.lan

    def with_token(self, token):
        return consul.Consul(host=self.host, token=token)

    def test_without(self):
        """No token, or one that nobody knows: permission denied."""
        for token in (None, "odd"):
            with self.assertRaises(consul.ACLPermissionDenied):
                self.with_token(token).catalog.nodes()
            with self.assertRaises(consul.ACLPermissionDenied):
                self.with_token(token).agent.service.register("web")

    def test_with(self):
        """A token does what it is granted, and nothing else."""
        user = self.with_token("users-token")
        self.assertTrue(user.agent.service.register("web"))
        self.wait_for("the catalog to have it",
                      lambda: user.health.service("web")[1])
        self.assertEqual({node["Node"] for node in user.catalog.nodes()[1]},
                         {"s1", "c1"})
        with self.assertRaises(consul.ACLPermissionDenied):
            user.catalog.register("printer", "10.1.7.7")
        writer = self.with_token("writers-token")
        self.assertTrue(writer.catalog.register("printer", "10.1.7.7"))
        self.assertTrue(writer.catalog.deregister("printer"))
        self.assertNotIn("printer", {node["Node"] for node
                                     in writer.catalog.nodes()[1]})
        self.assertEqual(user.event.fire("deploy")["Name"], "deploy")
        with self.assertRaises(consul.ACLPermissionDenied):
            writer.event.fire("deploy")
