"""Check 16 of the gossip specification's interop list: every malformed input
of its sections 6.2, 6.3 and 9 leaves ours a healthy member, be it libgossip
alone beside a real serf agent or a live isthmus agent; and what makes the real
agent crash is shown to do so, each in an agent of its own.
"""
import base64
import http.client
import json
import os
import time

import peer as wire
from gossip_lab import Node, Pool, Serf, keygen
from gossip_malformed import packets, sealed, streams
from gossip_wire import Socket, seal, stream
from lab import Failure, binary, wait


class Agent(Node):
    """A live isthmus server, the only one of its datacenter."""

    def start(self, key=None):
        config = {
            "node_name": self.name, "datacenter": "dc1", "server": True,
            "bootstrap_expect": 1, "bind_addr": self.ip,
            "client_addr": self.ip, "data_dir": f"{self.folder}/{self.name}",
            "log_level": "debug"}
        if key:
            config["encrypt"] = key
        path = os.path.join(self.folder, f"{self.name}.agent.json")
        with open(path, "w") as file:
            json.dump(config, file)
        self._spawn([binary(), "agent", "-config-file", path])
        wait(f"{self.name} to lead", lambda: self.get("/v1/status/leader"))
        return self

    def get(self, path):
        if not self.running():
            raise Failure(f"{self.name} ended; see {self.log}")
        connection = http.client.HTTPConnection(self.ip, 8500, timeout=10)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return json.loads(answer.read()) if answer.status == 200 else None
        except OSError:
            return None
        finally:
            connection.close()

    def members(self):
        words = {1: "alive", 2: "leaving", 3: "left", 4: "failed"}
        return {m["Name"]: {"addr": f"{m['Addr']}:{m['Port']}",
                            "tags": m["Tags"], "status": words[m["Status"]]}
                for m in self.get("/v1/agent/members") or []}


class Malformed(Pool):
    NETWORK = 46

    def setUp(self):
        super().setUp()
        self.wired = Socket(self.ip())
        self.addCleanup(self.wired.close)

    def packet(self, node, data):
        self.wired.send(node, data)

    def is_well(self, node, name):
        if not node.running():
            raise Failure(f"ended after: {name}; see {node.log}")
        if not self.wired.ping(node):
            raise Failure(f"no ack after: {name}; see {node.log}")

    def send_all(self, node):
        """Every input, one after the other, and a ping after each."""
        for name, data, _ in packets(node):
            self.packet(node, data)
            self.is_well(node, f"packet: {name}")
        for name, data, _ in streams(node):
            stream(node, data)
            self.is_well(node, f"stream: {name}")

    def test_serf_16_libgossip(self):
        """check 16: libgossip in a pool with a real agent: both are healthy
        members of it after every malformed input to ours, which passes
        nothing on that would crash the agent"""
        serf, ours = self.pair("serf first", tags={"role": "web"})
        self.send_all(ours)
        time.sleep(1)
        self.check_healthy(serf, ours)
        self.assertEqual(ours.heard("end"), [])

    def check_healthy(self, serf, ours):
        """Each sees the other alive, and they still exchange all state."""
        self.assertTrue(serf.running(), "the agent ended")
        for node, other in ((serf, ours), (ours, serf)):
            node.sees(other.name, "alive", 5)
        third = self.ours("third")
        self.assertEqual(third.join(ours), 1)
        for node in (serf, ours):
            node.sees("third", "alive")
        serf.event("after", "x")
        for node in (ours, third):
            wait("an event afterwards",
                 lambda n=node: n.heard("after") == ["x"])

    def test_serf_16_isthmus(self):
        """check 16: the same with a live isthmus agent: it leads, answers
        HTTP, and is a healthy member of a pool with a serf agent"""
        agent = self.node(Agent, "server").start()
        agent.port = 8301
        serf = self.node(Serf, "serf").start()
        agent.bind = f"{agent.ip}:{agent.port}"
        self.assertEqual(serf.join(agent), 1)
        self.send_all(agent)
        time.sleep(1)
        serf.sees("server", "alive", 5)
        agent.sees("serf", "alive", 5)
        self.assertTrue(agent.get("/v1/status/leader"))
        late = self.serf("late")
        self.assertEqual(late.join(agent), 1)
        serf.sees("late", "alive")

    def sealed_all(self, agent, key):
        raw = base64.b64decode(key)
        for name, how, data, _ in sealed(raw):
            if how == "udp":
                self.packet(agent, data)
            else:
                stream(agent, data)
            self.assertTrue(agent.running(), name)
            number = self.wired.number()
            count = len(self.wired.packets)
            self.packet(agent, seal(raw, wire.message(
                wire.G_PING, SeqNo=number, Node="")))
            wait(f"an ack after {name}",
                 lambda: len(self.wired.packets) > count, 5)

    def test_serf_16_sealed(self):
        """check 16: malformed inside a valid seal, to libgossip and to a live
        isthmus agent"""
        key = keygen()
        serf, ours = self.pair("serf first", key=key)
        agent = self.node(Agent, "server").start(key=key)
        agent.port = 8301
        agent.bind = f"{agent.ip}:{agent.port}"
        self.assertEqual(serf.join(agent), 1)
        for node in (ours, agent):
            self.sealed_all(node, key)
        for name in ("serf", "ours", "server"):
            for node in (serf, ours, agent):
                node.sees(name, "alive", 5)

    def crashes(self, name, send, key=None):
        """The real agent, alone, ends of it."""
        serf = self.serf("victim", key=key)
        send(serf)
        try:
            wait(f"the real agent to crash: {name}",
                 lambda: not serf.running(), 20)
        finally:
            serf.kill()
        self.assertTrue(serf.said("panic:") or serf.said("fatal error:"), name)

    def test_serf_16_crashes_of_the_original(self):
        """check 16: what the list calls a crash of the real agent is one"""
        key = keygen()
        nobody = Node("victim", self.ip(), self.folder)
        for name, data, crash in packets(nobody):
            if crash:
                with self.subTest(packet=name):
                    self.crashes(name, lambda serf: self.packet(serf, data))
        for name, data, crash in streams(nobody):
            if crash:
                with self.subTest(stream=name):
                    self.crashes(name, lambda serf: stream(serf, data))
        for name, how, data, crash in sealed(base64.b64decode(key)):
            if crash:
                with self.subTest(sealed=name):
                    self.crashes(name, lambda serf: self.packet(serf, data)
                                 if how == "udp" else stream(serf, data), key)
