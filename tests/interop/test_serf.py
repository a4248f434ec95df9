"""A real `serf agent` (Debian's package, none of our code) in dc1's LAN pool:
each side sees the other come, change, die, come back and leave.
"""
import json
import os
import shutil
import signal
import subprocess
import tempfile

from lab import ALIVE, FAILED, LEFT, Lab, binary, leading, members, \
    servers_at, status_of, wait

NETWORK = 11
LAN_PORT = 8301
OURS = ("server1", "server2", "server3")


class Serf:
    """One `serf agent` process and the command that asks it."""

    def __init__(self, name, host, key, folder):
        self.name, self.key = name, key
        self.bind = f"127.{NETWORK}.0.{host}:{LAN_PORT}"
        self.rpc = f"127.{NETWORK}.0.{host}:7373"
        self.log = os.path.join(folder, f"{name}.log")
        self.process = None

    def start(self, *flags):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                ["serf", "agent", f"-node={self.name}", f"-bind={self.bind}",
                 f"-rpc-addr={self.rpc}", f"-encrypt={self.key}",
                 "-tag", "role=web", "-log-level=debug", *flags],
                stdout=log, stderr=log, start_new_session=True)
        wait(f"{self.name} to answer", lambda: self.ask("info") is not None)

    def command(self, *words):
        return subprocess.run(
            ["serf", words[0], f"-rpc-addr={self.rpc}", *words[1:]],
            capture_output=True, text=True, timeout=30)

    def ask(self, *words):
        """Output of a command, or None if it failed."""
        done = self.command(*words)
        return done.stdout if done.returncode == 0 else None

    def members(self):
        text = self.ask("members", "-format=json")
        listed = json.loads(text)["members"] if text else []
        return {member["name"]: member for member in listed}

    def status_of(self, name):
        return self.members().get(name, {}).get("status")

    def kill(self):
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


class SerfInTheLanPool(Lab):
    places = {"dc1": {"servers": servers_at(NETWORK, 3)}}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = tempfile.mkdtemp(prefix="isthmus-serf-")
        cls.addClassCleanup(shutil.rmtree, cls.folder, True)
        cls.servers = cls.federation.servers["dc1"]
        cls.serf = Serf("plain", 20, cls.federation.key, cls.folder)
        cls.addClassCleanup(cls.serf.kill)

    def all_say(self, name, status, servers=None):
        """Every one of our servers gives that member that status."""
        for server in servers or self.servers:
            self.wait(f"{server.name} to say that {name} is {status}",
                      lambda s=server: status_of(s, name) == status)

    def serf_says(self, name, status):
        self.wait(f"serf to say that {name} is {status}",
                  lambda: self.serf.status_of(name) == status)

    def join(self):
        return f"-retry-join={self.servers[0].place.lan}:{LAN_PORT}"

    def test_01_joins_and_lists_ours_with_tags(self):
        """serf agent joins with our gossip key, lists our three servers
        alive, with addresses and tags"""
        self.serf.start(self.join(), "-retry-interval=1s")
        for name in OURS:
            self.serf_says(name, "alive")
        listed = self.serf.members()
        self.assertEqual(sorted(listed), ["plain", *OURS])
        for server in self.servers:
            member = listed[server.name]
            self.assertEqual(member["addr"], f"{server.place.lan}:{LAN_PORT}")
            tags = member["tags"]
            self.assertEqual(tags["role"], "isthmus")
            self.assertEqual(tags["dc"], "dc1")
            self.assertEqual(tags["port"], "8300")
            self.assertEqual(tags["fs"], "1")
            self.assertEqual(tags["expect"], "3")
            self.assertEqual(tags["wan_join_port"], "8302")
            ours = members(server)[server.name]["Tags"]
            self.assertEqual(tags, ours, "both sides give the same tags")
        self.assertEqual(len({m["tags"]["id"] for m in listed.values()
                              if m["name"] in OURS}), 3)

    def test_02_ours_list_it(self):
        """every server of ours lists it alive with its tags, and counts it
        as no server"""
        self.all_say("plain", ALIVE)
        for server in self.servers:
            member = members(server)["plain"]
            self.assertEqual(member["Tags"], {"role": "web"})
            self.assertEqual(f"{member['Addr']}:{member['Port']}",
                             self.serf.bind)
        table = subprocess.run(
            [binary(), "members", f"-http-addr={self.servers[1].place.lan}"
             ":8500", "-format=json"], capture_output=True, text=True)
        self.assertEqual(table.returncode, 0, table.stderr)
        self.assertIn("plain", table.stdout)
        peers = self.servers[0].get("/v1/status/peers")
        self.assertEqual(len(peers), 3)
        self.assertNotIn("plain.dc1", members(self.servers[0], wan=True))

    def test_03_tags_change(self):
        """new tags of the serf agent arrive at every server"""
        self.assertIsNotNone(self.serf.ask("tags", "-set", "version=2"))
        for server in self.servers:
            self.wait(f"{server.name} to see the new tag",
                      lambda s=server: members(s)["plain"]["Tags"]
                      == {"role": "web", "version": "2"})

    def test_04_events_and_queries_pass_by(self):
        """its user events and queries trouble nobody; all of ours
        acknowledge the query of `serf reachability`"""
        self.assertIsNotNone(self.serf.ask("event", "deploy", "v1"))
        self.assertIsNotNone(self.serf.ask("query", "-timeout=1s", "uptime"))
        said = self.serf.command("reachability").stdout
        self.assertIn("live members: 4", said)
        self.assertIn("Successfully contacted all live nodes", said)
        self.assertTrue(leading(self.servers))

    def test_05_its_coordinates(self):
        """`serf rtt` has an estimate for the way to ours: they answer its
        pings with coordinates"""
        self.wait("an estimate", lambda: self.serf.ask(
            "rtt", "plain", "server1"))

    def test_06_its_death(self):
        """kill -9 of the serf agent: every server says failed"""
        self.serf.kill()
        self.all_say("plain", FAILED)

    def test_07_its_return(self):
        """started again: alive everywhere, on both sides"""
        self.serf.start(self.join(), "-retry-interval=1s")
        self.all_say("plain", ALIVE)
        for name in OURS:
            self.serf_says(name, "alive")

    def test_08_its_leave(self):
        """`serf leave`: every server says left, not failed"""
        self.serf.command("leave")
        self.serf.process.wait(20)
        self.all_say("plain", LEFT)

    def test_09_joined_by_ours(self):
        """started alone, it is joined by `isthmus join`: alive on both
        sides"""
        self.serf.start()
        done = subprocess.run(
            [binary(), "join", self.serf.bind,
             f"-http-addr={self.servers[2].place.lan}:8500"],
            capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.all_say("plain", ALIVE)
        for name in OURS:
            self.serf_says(name, "alive")

    def test_10_death_of_ours(self):
        """kill -9 of one of our servers: serf says failed; started again:
        alive"""
        victim = self.servers[2]
        victim.kill()
        self.serf_says(victim.name, "failed")
        victim.start()
        self.serf_says(victim.name, "alive")
        self.all_say("plain", ALIVE)

    def test_11_leave_of_ours(self):
        """`isthmus leave` of one of our servers: serf says left, and Raft
        goes on with two"""
        going = self.servers[2]
        going.may_end = True
        done = subprocess.run(
            [binary(), "leave", f"-http-addr={going.place.lan}:8500"],
            capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(going.process.wait(20), 0)
        self.serf_says(going.name, "left")
        self.all_say(going.name, LEFT, self.servers[:2])
        self.all_say("plain", ALIVE, self.servers[:2])
        self.wait("Raft to have two servers", lambda: len(
            self.servers[0].get("/v1/status/peers") or []) == 2)

    def test_12_wrong_key(self):
        """a serf agent with another key cannot join, in either direction,
        and both go on"""
        key = subprocess.run(["serf", "keygen"], capture_output=True,
                             text=True).stdout.strip()
        stranger = Serf("stranger", 21, key, self.folder)
        self.addCleanup(stranger.kill)
        stranger.start()
        target = f"{self.servers[0].place.lan}:{LAN_PORT}"
        self.assertIsNone(stranger.ask("join", target))
        done = subprocess.run(
            [binary(), "join", stranger.bind,
             f"-http-addr={self.servers[0].place.lan}:8500"],
            capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn(stranger.bind, done.stderr)
        self.assertEqual(list(stranger.members()), ["stranger"])
        for server in self.servers[:2]:
            self.assertNotIn("stranger", members(server))
            self.assertTrue(server.running())
        self.assertTrue(leading(self.servers[:2]))
        self.assertEqual(self.serf.status_of("server1"), "alive")
