"""Checks 10, 11, 12 and 14 of the gossip specification's interop list (section
7), by number: user events, queries, keys, and sizes that need wide integers.
"""
import json
import os
import stat
import time

from gossip_lab import Peer, Pool, Serf, keygen
from gossip_wire import entry, exchange, serf_state
from lab import wait
from peer import meta

# What a query's answer costs beside its payload, for a node of four letters
# and an id of 31 bits (gossip.md 3.2).
ANSWER_OVERHEAD = 45
ANSWER_MAX = 1024 - ANSWER_OVERHEAD


class Events(Pool):
    NETWORK = 43

    def five(self, **settings):
        """Two of serf and three of ours; each answers "uptime" with its
        name."""
        script = {"uptime": "printf up-$SERF_SELF_NAME"}
        theirs = [self.serf(name, tags={"role": role}, answers=script,
                            **settings)
                  for name, role in (("s1", "web"), ("s2", "db"))]
        ours = [self.ours(name, tags={"role": role}, **settings,
                          answers={"uptime": f"up-{name}"})
                for name, role in (("o1", "web"), ("o2", "db"), ("o3", "db"))]
        for node in theirs[1:] + ours:
            node.join(theirs[0])
        self.agree(*theirs, *ours)
        return theirs, ours

    def test_serf_10_events(self):
        """check 10: user events pass both ways, each heard once, in five
        nodes"""
        theirs, ours = self.five()
        everyone = theirs + ours
        for node in everyone:
            node.event("deploy", f"by-{node.name}")
        want = sorted(f"by-{node.name}" for node in everyone)
        for node in everyone:
            wait(f"{node.name} to hear of all", lambda n=node:
                 sorted(n.heard("deploy")) == want, 75)
        time.sleep(1)                # for a repeat to show
        for node in everyone:
            self.assertEqual(sorted(node.heard("deploy")), want, node.name)

    def test_serf_10_coalesced(self):
        """check 10: of events that may be coalesced only the newest is told,
        of others all, on both sides"""
        serf = self.serf("serf")     # the agent always coalesces
        ours = self.ours("ours", user_coalesce_ms=1500)
        ours.join(serf)
        self.agree(serf, ours)
        for number in range(5):
            ours.event("newest", f"o{number}", coalesce=True)
            ours.event("every", f"o{number}")
        wait("serf to hear of the newest", lambda: serf.heard("newest"))
        for number in range(5):
            serf.event("newest", f"s{number}", coalesce=True)
            serf.event("every", f"s{number}")
        wait("ours to hear of the newest", lambda:
             "s4" in ours.heard("newest") and len(ours.heard("every")) == 10)
        wait("serf to hear of all", lambda: len(serf.heard("every")) == 10)
        for node in (serf, ours):    # each pause may tell the newest so far
            self.assertLess(len(node.heard("newest")), 10, node.name)
        self.assertNotIn("o0", serf.heard("newest"))
        self.assertEqual(ours.heard("newest")[-1], "s4")

    def test_serf_10_replay(self):
        """check 10: who joins hears old events, or with ignore-old none, in
        both directions; a second join repeats nothing"""
        for kind, other in ((Serf, Peer), (Peer, Serf)):
            with self.subTest(who_joins=other.__name__):
                old = self.node(kind, "old").start()
                old.event("before", "x")
                wait("it to hear itself", lambda n=old: n.heard("before"))
                curious = self.node(other, "curious").start()
                wary = self.node(other, "wary").start()
                curious.join(old, ignore_old=False)
                wary.join(old, ignore_old=True)
                self.agree(old, curious, wary)
                wait("the old event", lambda n=curious: n.heard("before"))
                curious.join(old, ignore_old=False)
                old.event("after", "y")
                for node in (old, curious, wary):
                    wait("the new one", lambda n=node: n.heard("after"))
                self.assertEqual(curious.heard("before"), ["x"])
                self.assertEqual(wary.heard("before"), [])
                for node in (old, curious, wary):
                    node.kill()
                self.forget(old, curious, wary)

    def test_serf_11_queries(self):
        """check 11: queries from either side: all acknowledge and answer;
        filters by name and by tag choose; acks can be left out; relays 1 and
        3 repeat nothing"""
        theirs, ours = self.five()
        names = sorted(node.name for node in theirs + ours)
        answers = {name: f"up-{name}" for name in names}
        some = {name: f"up-{name}" for name in ("o2", "o3", "s2")}
        for node in (theirs[0], ours[0]):
            with self.subTest(asked_by=node.name):
                self.answers(node, "uptime", (names, answers))
                self.answers(node, "uptime", (sorted(some), some),
                             tags={"role": "^d"})
                self.answers(node, "uptime",
                             ([], {"s2": "up-s2", "o3": "up-o3"}),
                             nodes=["s2", "o3"], acks=False)
                self.answers(node, "uptime", ([], {}), nodes=["s2"],
                             tags={"role": "web"})
                for relay in (1, 3):
                    self.answers(node, "uptime", (names, answers),
                                 relay=relay)
                self.answers(node, "_serf_ping", (names, {}))

    def test_serf_11_size_limit(self):
        """check 11: an answer of just the largest size arrives, from either
        side; one byte more is refused where it is given"""
        fits, over = "x" * ANSWER_MAX, "x" * (ANSWER_MAX + 1)
        serf = self.serf("serf", answers={
            name: f"head -c {size} /dev/zero | tr '\\0' x"
            for name, size in (("fits", len(fits)), ("over", len(over)))})
        ours = self.ours("ours", answers={"fits": fits, "over": over})
        ours.join(serf)
        self.agree(serf, ours)
        both = {"serf": fits, "ours": fits}
        for node in (serf, ours):
            self.assertEqual(node.query("fits")[1], both, node.name)
            self.assertEqual(node.query("over")[1], {}, node.name)
        self.assertTrue(any(event["event"] == "answer-failed"
                            for event in ours.events))

    def ring(self, node):
        with open(os.path.join(self.folder, f"{node.name}.ring")) as file:
            return json.load(file)

    def test_serf_12_keys(self):
        """check 12: keys are installed, used, listed and removed by either
        side; files hold the ring, the primary first, in mode 0600"""
        old, new, last = keygen(16), keygen(24), keygen(32)
        nodes = []
        for kind, name in ((Serf, "serf"), (Peer, "ours")):
            path = os.path.join(self.folder, f"{name}.ring")
            with open(path, "w") as file:
                json.dump([old], file)
            os.chmod(path, 0o600)
            node = self.node(kind, name)
            nodes.append(node.start(f"-keyring-file={path}")
                         if kind is Serf else node.start(keyring_file=path))
        serf, ours = nodes
        ours.join(serf)
        self.agree(serf, ours)
        for node, was, becomes in ((serf, old, new), (ours, new, last)):
            for operation in ("install", "use"):
                ok, said = node.key(operation, becomes)
                self.assertTrue(ok, said)
            for other in nodes:
                self.assertEqual(self.ring(other), [becomes, was])
            ok, said = node.key("remove", becomes)
            self.assertFalse(ok, "a primary key was removed")
            ok, said = node.key("remove", was)
            self.assertTrue(ok, said)
            ok, said = node.key("list")
            self.assertTrue(ok, said)
            self.assertIn(becomes, said)
            self.assertNotIn(was, said)
            for other in nodes:
                self.assertEqual(self.ring(other), [becomes])
                path = os.path.join(self.folder, f"{other.name}.ring")
                self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
            self.agree(*nodes)
        path = os.path.join(self.folder, "ours.ring")
        third = self.node(Serf, "third").start(f"-keyring-file={path}")
        self.assertEqual(third.join(serf), 1, "serf reads our keyring file")
        fourth = self.node(Peer, "fourth").start(
            keyring_file=os.path.join(self.folder, "serf.ring"))
        self.assertEqual(fourth.join(third), 1, "we read serf's")
        self.agree(serf, ours, third, fourth)

    def test_serf_12_missing_key(self):
        """check 12: use of a key that nobody has fails on either side, and
        without encryption every operation does"""
        serf, ours = self.pair("serf first", key=keygen())
        for node in (serf, ours):
            self.assertFalse(node.key("use", keygen())[0])
            self.assertTrue(node.key("list")[0])
        plain, bare = self.serf("plain"), self.ours("bare")
        bare.join(plain)
        self.agree(plain, bare)
        for node in (plain, bare):
            self.assertFalse(node.key("list")[0])

    def crowd(self, node, count=130, events=80):
        """Tells the node of that many members with 400 bytes of tags, and of
        events that fill more than 32,767 bytes."""
        tags = meta(role="x" * 390)
        nodes = [entry(f"crowd{n}", f"127.{self.NETWORK}.200.{n % 250 + 1}",
                       meta=tags) for n in range(count)]
        state = serf_state(
            time=5, status={}, event_time=events + 1,
            events=[(n + 1, "fill", b"%03d" % n + b"y" * 450)
                    for n in range(events)])
        self.assertGreater(len(state), 32767)
        exchange(node, nodes, state)

    def test_serf_14_wide_integers(self):
        """check 14: a push/pull of over 127 members with 400 bytes of tags
        each and over 32,767 bytes of user state passes both ways"""
        for kind, other in ((Serf, Peer), (Peer, Serf)):
            with self.subTest(who_has_it=kind.__name__):
                full = self.node(kind, "full").start()
                self.crowd(full)
                wait("it to have the crowd", lambda n=full:
                     len(n.members()) == 131 and len(n.heard("fill")) == 80)
                taker = self.node(other, "taker").start()
                self.assertEqual(taker.join(full, ignore_old=False), 1)
                wait("the other to have it", lambda n=taker:
                     len(n.members()) == 132)
                member = taker.members()["crowd129"]
                self.assertEqual(member["tags"], {"role": "x" * 390})
                wait("all events", lambda n=taker: len(n.heard("fill")) == 80)
                self.assertEqual(sorted(taker.heard("fill")),
                                 [f"{n:03d}" + "y" * 450 for n in range(80)])
                full.kill()
                taker.kill()
                self.forget(full, taker)
