"""Client agents, live: servers are killed under the load of one, by turns."""
import os
import random
import subprocess
import threading
import time

from agents_lab import Agents
from federation import leading
from lab import FAILED, binary, status_of

# What docs/http-api.md says that a call may end with while servers die.
DOCUMENTED = (b"No cluster leader", b"No known Consul servers")


class Writer(threading.Thread):
    """Registers one node after another through a client agent."""

    def __init__(self, agent, number, stop):
        super().__init__(daemon=True)
        self.agent, self.number, self.stop = agent, number, stop
        self.acknowledged, self.refused, self.slowest = [], [], 0.0

    def run(self):
        count = 0
        while not self.stop.is_set():
            name = f"w{self.number}-{count}"
            count += 1
            began = time.monotonic()
            status, _, body = self.agent.place.http(
                "PUT", "/v1/catalog/register",
                '{"Node": "%s", "Address": "10.9.9.9"}' % name, timeout=40)
            self.slowest = max(self.slowest, time.monotonic() - began)
            if status == 200:
                self.acknowledged.append(name)
            else:
                self.refused.append((status, body))


class Clients(Agents):
    network, server_count, client_count = 72, 3, 2

    def test_kill_servers_under_load(self):
        """Servers die by turns, -9, the leader too, under writes and blocking
        reads through a client: nothing acknowledged is lost, and errors are
        the documented ones."""
        client = self.clients[0]
        stop = threading.Event()
        writers = [Writer(client, number, stop) for number in range(4)]
        for writer in writers:
            writer.start()
        random.seed(1)
        for turn in range(6):
            time.sleep(0.5)
            server = (leading(self.servers) if turn % 2 else
                      random.choice(self.servers))
            server.kill()
            time.sleep(random.uniform(0.5, 2.5))
            server.start()
            self.wait_for(f"{server.name} to be back", lambda s=server: s.get(
                "/v1/catalog/nodes?stale") is not None)
        stop.set()
        for writer in writers:
            writer.join(60)
        wanted = {name for writer in writers for name in writer.acknowledged}
        refused = [what for writer in writers for what in writer.refused]
        self.assertGreater(len(wanted), 100)
        for status, body in refused:
            self.assertEqual((status, body in DOCUMENTED), (500, True), body)
        self.assertLess(max(writer.slowest for writer in writers), 25)
        there = self.wait_for("the catalog", lambda: client.get(
            "/v1/catalog/nodes?consistent"))
        self.assertEqual(wanted - {node["Node"] for node in there}, set())

    def test_waiting_query_outlives_a_server(self):
        """A blocking query through a client is answered although each server
        dies once while it waits."""
        client = self.clients[1]
        index = client.place.http("GET", "/v1/catalog/services")[1][
            "X-Consul-Index"]
        answer = {}

        def ask():
            answer["it"] = client.place.http(
                "GET", f"/v1/catalog/services?index={index}&wait=60s"
                "&stale", timeout=90)
        reader = threading.Thread(target=ask)
        reader.start()
        for server in self.servers:
            time.sleep(0.5)
            server.kill()
            server.start()
            self.wait_for(f"{server.name} to be back", lambda s=server: s.get(
                "/v1/catalog/nodes?stale") is not None)
            self.wait_for("a leader", lambda: leading(self.servers))
            self.wait_for("the client to be back", lambda: client.get(
                "/v1/catalog/nodes"))
        self.assertTrue(self.clients[0].put(
            "/v1/agent/service/register", {"Name": "news"}))
        reader.join(60)
        self.assertEqual(answer["it"][0], 200, answer)
        self.assertIn(b"news", answer["it"][2])

    def test_client_dies(self):
        """A client that is killed is critical in the catalog, and back with
        its services."""
        victim, server = self.clients[1], self.servers[0]
        self.assertTrue(victim.put("/v1/agent/service/register",
                                   {"Name": "kept"}))
        self.wait_for("the service", lambda: server.get(
            "/v1/health/service/kept?passing"))
        victim.kill()
        self.wait_for("the pool to see it", lambda: status_of(
            server, "c2") == FAILED)
        self.wait_for("serfHealth to say so", lambda: server.get(
            "/v1/health/service/kept") and not server.get(
                "/v1/health/service/kept?passing"))
        victim.start()
        self.wait_for("all to be well", lambda: server.get(
            "/v1/health/service/kept?passing"))


class SecureClients(Agents):
    """The same over mutual TLS and encrypted gossip: a client's certificate
    is for no server."""

    network, server_count, client_count = 74, 1, 1

    @classmethod
    def _agent(cls, name, number):
        def run(*words):
            return subprocess.run([binary(), *words], cwd=cls.folder,
                                  check=True, capture_output=True,
                                  text=True).stdout
        is_server = name.startswith("s")
        if is_server:
            run("tls", "ca", "create")
            key = run("keygen").strip()
        else:
            key = cls.settings["encrypt"]
        run("tls", "cert", "create", "-dc", "dc1",
            *(["-server", "-node", name] if is_server else ["-client"]))
        stem = "dc1-server-consul-0" if is_server else "dc1-client-consul-0"
        cls.settings = {
            "ca_file": os.path.join(cls.folder, "consul-agent-ca.pem"),
            "cert_file": os.path.join(cls.folder, f"{stem}.pem"),
            "key_file": os.path.join(cls.folder, f"{stem}-key.pem"),
            "verify_incoming": True, "verify_outgoing": True,
            "verify_server_hostname": True, "encrypt": key,
        }
        return super()._agent(name, number)

    def test_reads_and_writes(self):
        """A client with a client's certificate registers and reads."""
        client = self.clients[0]
        self.assertTrue(client.put("/v1/agent/service/register",
                                   {"Name": "web"}))
        self.wait_for("the service", lambda: self.servers[0].get(
            "/v1/health/service/web?passing"))
        tags = client.get("/v1/agent/self")["Member"]["Tags"]
        self.assertEqual(tags["role"], "isthmus-client")
        self.assertEqual(client.get("/v1/agent/self")["Stats"]["serf_lan"][
            "encrypted"], "true")
