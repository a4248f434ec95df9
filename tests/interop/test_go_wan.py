"""A member of the WAN pool built on HashiCorp's own memberlist and serf, in a
datacenter of its own behind a gateway of its own, with the framing of
federation.md section 5 (go/wanfed.go) and gossip encryption. `make interop-go`
builds it and runs this.
"""
import os
import subprocess
import time

import test_foreign_member as foreign
from gossip_lab import Peer
from lab import ALIVE, GATEWAY, Lab, Place, binary, members, servers_at, wait

NETWORKS = {"dc1": 49, "dc2": 50}
DC, NAME = "dc9", "peer.dc9"
HOME = "127.51.9.1"
THEIR_GATEWAY = ("127.51.9.10", GATEWAY)
STAYS_S = 45    # longer than the WAN pool takes to suspect and bury a member


class Go(Peer):
    program = "go-peer"


class GoMember(Lab):
    places = {dc: {"servers": servers_at(n, 1),
                   "gateway": Place(f"127.{n}.0.10", f"127.{n}.0.11")}
              for dc, n in NETWORKS.items()}
    settings = {"wan_allow_foreign_members": True}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.servers = [cls.federation.servers[dc][0] for dc in NETWORKS]
        cls.federation.run("tls", "cert", "create", "-server", "-dc", DC,
                           "-node", "peer")
        routes = {f"{node}server.{dc}.consul": (f"127.{n}.0.11", GATEWAY)
                  for dc, n in NETWORKS.items() for node in ("", "server1.")}
        routes |= {f"{node}server.{DC}.consul": (HOME, 8300)
                   for node in ("", "peer.")}
        cls.gateway = foreign.SniGateway(THEIR_GATEWAY, routes)
        cls.member = Go(NAME, HOME, cls.federation.folder, 8300)
        cls.addClassCleanup(cls.member.kill)
        for server in cls.servers:
            cls.federation.wait("both gateways, everywhere", lambda s=server: (
                len(s.get("/v1/internal/federation-states/mesh-gateways")
                    or {}) == 2 and len(members(s, wan=True)) == 2), 60)

    def start(self, fresh=False):
        tls = self.federation.tls
        stem = os.path.join(tls, f"{DC}-server-consul-0")
        self.member.start(
            key=self.federation.key, tags={"role": "cache"},
            answers={"colour": "blue"}, reconnect_interval_ms=5000,
            wan={"gateway": "%s:%d" % THEIR_GATEWAY, "domain": "consul",
                 "ca": os.path.join(tls, "consul-agent-ca.pem"),
                 "cert": f"{stem}.pem", "key": f"{stem}-key.pem",
                 "fresh": fresh})

    def join(self):
        """True once it is in, by the placeholder."""
        said = self.member.do("join", targets=["*.dc1/192.0.2.2:8302"],
                              ignore_old=True)
        return said.get("joined") == 1

    def isthmus(self, *words):
        done = subprocess.run(
            [binary(), *words,
             f"-http-addr={self.servers[0].place.lan}:8500"],
            capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def declare(self):
        self.isthmus("federation", "put", f"-dc={DC}",
                     "-gateway=%s:%d" % THEIR_GATEWAY)

    def all_alive(self, timeout=90):
        """By every server and by the member."""
        for server in self.servers:
            self.wait(f"{server.dc} to list {NAME} alive", lambda s=server: (
                members(s, wan=True).get(NAME, {}).get("Status") == ALIVE),
                timeout)
        for dc in NETWORKS:
            self.member.sees(f"server1.{dc}", "alive", timeout)

    def test_1_declared_late(self):
        """it joins before its gateway is declared, when nobody can answer it;
        once it is, all see each other alive"""
        self.start()
        wait("it to join", self.join)
        time.sleep(5)
        self.declare()
        self.all_alive()

    def test_2_events_and_queries_both_ways(self):
        """user events and queries pass between it and servers of both
        datacenters"""
        self.member.event("from-there", "hello")
        for server in self.servers:
            self.wait("its event", lambda s=server: any(
                event["Name"] == "from-there"
                for event in s.get("/v1/event/list") or []))
        self.isthmus("event", "-wan", "-name=from-here", "hello")
        wait("our event", lambda: "hello" in self.member.heard("from-here"))
        said = self.isthmus("query", "-wan", "-timeout=3s", "colour")
        self.assertIn(NAME, said)
        self.assertIn("blue", said)
        acks, answers = self.member.query("isthmus:version",
                                          timeout_ms=3000)
        ours = {f"server1.{dc}" for dc in NETWORKS}
        self.assertLessEqual(ours, set(acks))
        self.assertEqual(set(answers), ours)

    def test_3_it_stays_alive(self):
        """for longer than a death takes to be declared, nobody doubts it and
        it doubts nobody"""
        failed = {"failed", "left", "leaving"}
        before = self.member.said("suspect")  # while nobody could answer it
        end = time.monotonic() + STAYS_S
        while time.monotonic() < end:
            for server in self.servers:
                self.assertEqual(members(server, wan=True)[NAME]["Status"],
                                 ALIVE)
            for name, seen in self.member.members().items():
                self.assertNotIn(seen["status"], failed, name)
            time.sleep(0.5)
        self.assertEqual(self.member.said("suspect"), before)

    def test_4_restarted_with_a_connection_a_packet(self):
        """killed and started again, now with a new connection for each packet,
        it is back, and stays"""
        self.member.kill()
        self.start(fresh=True)
        wait("it to join again", self.join)
        self.all_alive()
        time.sleep(15)
        self.all_alive(1)
        self.member.event("once-more", "hello")
        self.wait("its event", lambda: any(
            event["Name"] == "once-more"
            for event in self.servers[1].get("/v1/event/list") or []))

    def test_5_it_leaves(self):
        """its leave is told, and its datacenter's gateway deleted"""
        self.member.leave()
        for server in self.servers:
            self.wait("it to have left", lambda s=server: (
                members(s, wan=True).get(NAME, {}).get("Status") != ALIVE))
        self.isthmus("federation", "delete", f"-dc={DC}")
        self.assertNotIn(THEIR_GATEWAY[0],
                         self.isthmus("federation", "gateways"))
