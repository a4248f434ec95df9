"""Checks 15 and 17 of the gossip specification's interop list (section 7), and
its last line: snapshots of either side read by the other, a pool that was
parted, and five of theirs with five of ours for a minute under kills.
"""
import os
import random
import shutil
import time

from gossip_lab import Peer, Pool, Serf, keygen
from lab import wait


class Restart(Pool):
    NETWORK = 47

    def lines(self, path):
        with open(path) as file:
            return file.read().splitlines()

    def test_serf_15_snapshots(self):
        """check 15: the snapshot that one wrote brings the other back into
        the pool under the same name, without old events; with serf's file for
        ours, and with ours for serf"""
        for writer, reader in ((Serf, Peer), (Peer, Serf)):
            with self.subTest(writer=writer.__name__):
                path = os.path.join(self.folder, f"{writer.__name__}.snap")
                other = self.serf("other")
                first = self.node(writer, "same")
                start = {Serf: lambda node: node.start(f"-snapshot={path}"),
                         Peer: lambda node: node.start(snapshot=path)}
                start[writer](first)
                first.join(other)
                self.agree(first, other)
                first.event("old", "x")
                wait("the event", lambda n=other: n.heard("old"))
                wait("the lines", lambda: {
                    f"alive: same {first.bind}", f"alive: other {other.bind}",
                    "event-clock: 1"} <= set(self.tickle(first, path)))
                first.kill()
                other.sees("same", "failed")
                self.forget(first)
                second = self.node(reader, "same", first.ip)
                start[reader](second)
                self.agree(second, other)
                other.event("new", "y")
                wait("a new event", lambda n=second: "y" in n.heard("new"))
                self.assertEqual(second.heard("old"), [])
                self.assertFalse(os.stat(path).st_mode & 0o111
                                 if reader is Peer else 0)
                second.kill()
                other.kill()
                shutil.rmtree(self.folder)
                os.mkdir(self.folder)

    def tickle(self, node, path):
        """serf writes what it holds only with the next line."""
        if isinstance(node, Serf):
            node.query("_tickle", timeout_ms=10)
            time.sleep(0.3)
        return self.lines(path)

    def test_serf_17_partition(self):
        """check 17: two of theirs and three of ours, parted until each side
        has given the other up, find each other by reconnecting"""
        theirs = [self.serf(name, reconnect_interval="4s", key=None)
                  for name in ("s1", "s2")]
        ours = [self.ours(name, reconnect_interval_ms=4000)
                for name in ("o1", "o2", "o3")]
        for node in theirs[1:] + ours:
            node.join(theirs[0])
        self.agree(*theirs, *ours)
        away = [node.ip for node in theirs] + ["127.0.0.1"]
        for node in ours:            # serf's streams come from 127.0.0.1
            node.lose(*away)
        for node, others in ((theirs[0], ours), (theirs[1], ours),
                             (ours[0], theirs), (ours[2], theirs)):
            for other in others:
                node.sees(other.name, "failed", 60)
        self.assertEqual(ours[0].status_of("o2"), "alive")
        for node in ours:
            node.lose()
        self.agree(*theirs, *ours, timeout=30)
        ours[1].event("healed", "x")
        for node in theirs + ours:
            wait("an event over all", lambda n=node:
                 n.heard("healed") == ["x"])

    def test_serf_19_kills(self):
        """after the list: five of theirs and five of ours for a minute of
        kills, restarts and leaves; at the end all views agree"""
        key = keygen()
        dice = random.Random(2026)
        nodes = [self.node(Serf, f"s{n}") for n in range(5)] \
            + [self.node(Peer, f"o{n}") for n in range(5)]
        tags = {node.name: {"n": node.name} for node in nodes}
        for node in nodes:
            node.start(key=key, tags=tags[node.name])
            node.join(nodes[0])
        self.agree(*nodes)
        done = {"kill": 0, "leave": 0, "restart": 0}
        end = time.monotonic() + float(os.environ.get("SECONDS", 60))
        while time.monotonic() < end:
            up = [node for node in nodes if node.running()]
            down = [node for node in nodes if not node.running()]
            choices = ["restart"] * bool(down) \
                + ["kill", "leave"] * (len(up) > 6)
            what = dice.choice(choices)
            done[what] += 1
            if what == "restart":
                self.restart(dice.choice(down), dice.choice(up), key, tags)
            elif what == "kill":
                dice.choice(up).kill()
            else:
                dice.choice(up).leave()
            time.sleep(dice.random())
        for count in done.values():
            self.assertGreater(count, 3, done)
        up = [node for node in nodes if node.running()]
        for node in nodes:
            if not node.running():
                self.restart(node, up[0], key, tags)
        self.agree(*nodes, timeout=90)
        nodes[9].event("over", "x")
        for node in nodes:
            wait(f"{node.name} to hear", lambda n=node: "x" in n.heard("over"))

    def restart(self, node, other, key, tags):
        node.start(key=key, tags=tags[node.name])
        wait("it to join", lambda: node.join(other) == 1)
