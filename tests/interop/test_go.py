"""HashiCorp's newest modules (go/go.mod pins them) in one pool with ours: what
Debian's agent of 2019 cannot show, such as labels, the newest codec and
protocols. `make interop-go` builds the peer and runs this.
"""
import os

from gossip_lab import Peer, Pool, keygen
from gossip_wire import entry, exchange, serf_state
from lab import wait
from peer import meta


class Go(Peer):
    program = "go-peer"


class Newest(Pool):
    NETWORK = 48

    def both(self, first, second, **settings):
        """The second joins the first."""
        one = self.node(first, "one").start(tags={"role": "web"}, **settings)
        two = self.node(second, "two").start(tags={"role": "db"}, **settings)
        self.assertEqual(two.join(one), 1)
        self.agree(one, two)
        return one, two

    def settings(self):
        for order in ((Go, Peer), (Peer, Go)):
            for more in ({}, {"key": keygen(16)}, {"key": keygen(32)},
                         {"label": "blue"}, {"compression": False},
                         {"label": "blue", "key": keygen(24),
                          "compression": False}):
                with self.subTest(order=[k.__name__ for k in order], **more):
                    yield order, more

    def test_joins(self):
        """joins either way, plain, encrypted, with a label, with and without
        compression; events and queries pass both ways"""
        for order, more in self.settings():
            nodes = self.both(*order, **more,
                              answers={"uptime": "up"})
            for node, other in (nodes, nodes[::-1]):
                node.event("deploy", f"by-{node.name} " + "x" * 400)
                wait("the event", lambda n=node, o=other:
                     f"by-{n.name} " + "x" * 400 in o.heard("deploy"))
                self.answers(node, "uptime",
                             (["one", "two"], {"one": "up", "two": "up"}),
                             timeout_ms=300)
                wait("an estimate", lambda n=node, o=other: n.rtt(o.name))
            for node in nodes:
                node.kill()

    def test_other_label(self):
        """with other labels, or one where there is none, nobody joins"""
        nodes = [self.node(kind, f"{kind.__name__}-{label}").start(label=label)
                 for kind in (Go, Peer) for label in ("", "blue", "red")]
        for node in nodes:
            for other in nodes:
                same = node.name.split("-")[1] == other.name.split("-")[1]
                if not same:
                    self.assertEqual(node.join(other), 0,
                                     f"{node.name} {other.name}")

    def test_queries_of_five(self):
        """filters and relays in a pool of two and three"""
        nodes = [self.node(Go if n < 2 else Peer, f"n{n}").start(
            tags={"n": str(n)}, answers={"uptime": f"up{n}"})
            for n in range(5)]
        for node in nodes[1:]:
            node.join(nodes[0])
        self.agree(*nodes)
        names = [node.name for node in nodes]
        everyone = {f"n{n}": f"up{n}" for n in range(5)}
        for node in (nodes[0], nodes[4]):
            for relay in (0, 1, 3):
                self.answers(node, "uptime", (names, everyone), relay=relay,
                             timeout_ms=800)
            self.answers(node, "uptime",
                         (["n1", "n3"], {"n1": "up1", "n3": "up3"}),
                         tags={"n": "^[13]$"}, timeout_ms=800)

    def test_keys(self):
        """keys are installed, used, listed and removed by either side"""
        old, new, last = keygen(16), keygen(24), keygen(32)
        one, two = self.both(Go, Peer, key=old)
        for node, was, becomes in ((one, old, new), (two, new, last)):
            for operation, key in (("install", becomes), ("use", becomes),
                                   ("remove", was)):
                ok, said = node.key(operation, key)
                self.assertTrue(ok, said)
            said = node.do("key", operation="list")
            self.assertEqual(said["keys"], {becomes: 2})
            self.assertEqual(said["primaries"], {becomes: 2})
        self.agree(one, two)

    def test_wide_integers(self):
        """a push/pull of over 127 members and over 32,767 bytes of user
        state, whose signed numbers the newest codec writes in other forms"""
        for kind, other in ((Go, Peer), (Peer, Go)):
            with self.subTest(who_has_it=kind.__name__):
                full = self.node(kind, "full").start()
                exchange(full, [
                    entry(f"crowd{n}", f"127.{self.NETWORK}.251.{n + 1}",
                          meta=meta(role="x" * 390)) for n in range(130)],
                    serf_state(time=5, event_time=81, events=[
                        (n + 1, "fill", b"%03d" % n + b"y" * 450)
                        for n in range(80)]))
                wait("the crowd", lambda n=full: len(n.members()) == 131)
                taker = self.node(other, "taker").start()
                self.assertEqual(taker.join(full, ignore_old=False), 1)
                wait("the crowd at the other", lambda n=taker:
                     len(n.members()) == 132 and len(n.heard("fill")) == 80)
                full.kill()
                taker.kill()

    def test_leave_kill_restart(self):
        """a leave shows as left, a kill as failed, a restart as alive, on
        either side"""
        one, two = self.both(Go, Peer)
        for node, other in ((one, two), (two, one)):
            node.kill()
            other.sees(node.name, "failed")
            node.start(tags={"role": "new"})
            node.join(other)
            self.agree(one, two)
            node.leave()
            other.sees(node.name, "left")
            node.start(tags={"role": "newer"})
            node.join(other)
            self.agree(one, two)

    def test_snapshots(self):
        """either side's snapshot brings the other back"""
        for writer, reader in ((Go, Peer), (Peer, Go)):
            with self.subTest(writer=writer.__name__):
                path = os.path.join(self.folder, f"{writer.__name__}.snap")
                other = self.node(Peer, "other").start()
                first = self.node(writer, "same").start(snapshot=path)
                first.join(other)
                self.agree(first, other)

                def written():
                    first.query("_tickle", timeout_ms=10)
                    with open(path) as file:
                        return f"alive: other {other.bind}\n" in file.read()
                wait("the lines", written, every=0.3)
                first.kill()
                other.sees("same", "failed")
                second = self.node(reader, "same", first.ip)
                second.start(snapshot=path)
                self.agree(second, other)
                second.kill()
                other.kill()
