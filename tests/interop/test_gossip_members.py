"""Checks 1 to 3, 9, 13 and 18 of the gossip specification's interop list
(section 7), by number: a real serf agent with libgossip in place of its peer,
first one and then the other as the node that is joined.
"""
import os
import subprocess

from gossip_lab import Pool, keygen
from lab import binary, wait


class Members(Pool):
    NETWORK = 41

    def test_serf_01_joins(self):
        """check 1: either joins the other, plain; members, addresses, tags
        and versions are equal on both sides"""
        for order in self.both_orders():
            serf, ours = self.pair(order, tags={"role": "web", "dc": "eu"})
            listed = serf.members()
            self.assertEqual(listed["ours"]["addr"], ours.bind)
            self.assertEqual(listed["ours"]["tags"],
                             {"role": "web", "dc": "eu"})
            self.assertEqual(ours.members()["serf"]["addr"], serf.bind)
            self.assertEqual(ours.members()["serf"]["vsn"], [1, 5, 2, 2, 5, 5])
            self.assertEqual(listed["ours"]["protocol"],
                             listed["serf"]["protocol"])
            serf.set_tags(version="2")
            ours.set_tags(role="db", x="y" * 300)
            self.agree(serf, ours)
            wait("ours to see new tags", lambda: ours.members()["serf"][
                "tags"].get("version") == "2")
            wait("serf to see new tags", lambda: serf.members()["ours"][
                "tags"] == {"role": "db", "x": "y" * 300})

    def test_serf_01_role_only(self):
        """check 1: agents of serf protocol 2, whose only tag is a role, in
        both directions"""
        serf = self.serf("serf", "-protocol=2", "-role=web")
        ours = self.ours("ours", protocol=2, tags={"role": "db"})
        self.assertEqual(ours.join(serf), 1)
        self.agree(serf, ours)
        self.assertEqual(ours.members()["serf"]["tags"], {"role": "web"})
        self.assertEqual(ours.members()["serf"]["vsn"][5], 2)
        self.assertEqual(serf.members()["ours"]["tags"], {"role": "db"})

    def test_serf_02_keys(self):
        """check 2: the same under keys of 16, 24 and 32 bytes"""
        for order in self.both_orders():
            for size in (16, 24, 32):
                with self.subTest(size=size):
                    serf, ours = self.pair(order, key=keygen(size))
                    serf.kill()
                    ours.kill()

    def test_serf_02_wrong_key(self):
        """check 2: another key, or none on one side: no join, no crash, and
        the agent's words for it are reported"""
        serf = self.serf("serf", key=keygen())
        plain = self.serf("plain")
        ours = self.ours("ours", key=keygen())
        bare = self.ours("bare")
        for node, other in ((ours, serf), (serf, ours), (ours, plain),
                            (plain, ours), (bare, serf), (serf, bare)):
            self.assertEqual(node.join(other), 0, f"{node.name} {other.name}")
        for node in (serf, plain, ours, bare):
            self.assertEqual(list(node.members()), [node.name])
        lenient = self.ours("lenient", key=keygen(), verify_incoming=False)
        said = lenient.do("join", targets=[plain.bind])["error"]
        self.assertIn("peer reported", said)
        self.assertTrue(lenient.said("encryption is not configured"))

    def test_serf_03_compression(self):
        """check 3: compression on and off on either side, with and without a
        key: members and a long event pass both ways"""
        long = "long " * 80
        for theirs in (True, False):
            for mine in (True, False):
                for key in (None, keygen()):
                    with self.subTest(theirs=theirs, ours=mine, key=key):
                        flags = [] if theirs else ["-disable-compression"]
                        serf = self.serf("serf", *flags, key=key,
                                         tags={"a": "b" * 99})
                        ours = self.ours("ours", key=key, compression=mine)
                        self.assertEqual(ours.join(serf), 1)
                        self.agree(serf, ours)
                        ours.event("to-serf", long)
                        serf.event("to-ours", long)
                        wait("events", lambda s=serf, o=ours:
                             long in s.heard("to-serf")
                             and long in o.heard("to-ours"))
                        serf.kill()
                        ours.kill()

    def test_serf_09_leave_kill_restart(self):
        """check 9: a leave of either side shows as left, a kill as failed, a
        restart as alive"""
        for order in self.both_orders():
            serf, ours = self.pair(order)
            ours.kill()
            serf.sees("ours", "failed")
            ours.start()
            self.assertEqual(ours.join(serf), 1)
            self.agree(serf, ours)
            serf.kill()
            ours.sees("serf", "failed")
            serf.start()
            self.assertEqual(serf.join(ours), 1)
            self.agree(serf, ours)
            ours.leave()
            serf.sees("ours", "left")
            ours.start()
            ours.join(serf)
            self.agree(serf, ours)
            serf.leave()
            ours.sees("serf", "left")
            serf.start()
            serf.join(ours)
            self.agree(serf, ours)

    def test_serf_09_force_leave(self):
        """check 9: force-leave by either side turns failed into left, and
        with prune the member is gone on both"""
        serf, ours = self.pair("serf first")
        third = self.serf("third")
        third.join(serf)
        self.agree(serf, ours, third)
        third.kill()
        for node in (serf, ours):
            node.sees("third", "failed")
        ours.force_leave("third")
        for node in (serf, ours):
            node.sees("third", "left")
        serf.force_leave("third", prune=True)
        for node in (serf, ours):
            wait(f"{node.name} to forget",
                 lambda n=node: "third" not in n.members())
        last = self.serf("last")
        last.join(ours)
        self.agree(serf, ours, last)
        last.kill()
        for node in (serf, ours):
            node.sees("last", "failed")
        ours.force_leave("last", prune=True)
        for node in (serf, ours):
            wait(f"{node.name} to forget",
                 lambda n=node: "last" not in n.members())

    def test_serf_09_force_leave_of_the_living(self):
        """check 9: whoever is alive refutes a force-leave, on either side
        (there is a third: serf tells nobody where nobody else is alive)"""
        serf, ours = self.pair("serf first")
        third = self.serf("third")
        third.join(serf)
        self.agree(serf, ours, third)
        ours.force_leave("serf")
        self.agree(serf, ours, third)
        serf.force_leave("ours")
        self.agree(serf, ours, third)
        wait("ours to have refuted",
             lambda: ours.said("refuting a leave intent"))

    def test_serf_13_name_conflict(self):
        """check 13: of two nodes with one name the newcomer, in the minority,
        ends; the majority stays; with ours and with serf as the newcomer"""
        serf, ours = self.pair("serf first")
        thief = self.node(type(ours), "serf").start()
        thief.join(ours)
        wait("our newcomer to lose", lambda: any(
            event["event"] == "conflict-lost" for event in thief.events))
        thief.process.wait(10)
        thief = self.node(type(serf), "ours").start()
        thief.join(serf)
        wait("serf's newcomer to end", lambda: not thief.running())
        self.agree(serf, ours)
        self.assertFalse(any(event["event"] == "conflict-lost"
                             for event in ours.events))

    def test_serf_18_label_on_one_side(self):
        """check 18: a label on our side only: the agent knows nothing of it;
        no join either way, no crash"""
        serf = self.serf("serf")
        ours = self.ours("ours", label="blue")
        self.assertEqual(ours.join(serf), 0)
        self.assertEqual(serf.join(ours), 0)
        self.assertEqual(list(serf.members()), ["serf"])
        self.assertEqual(list(ours.members()), ["ours"])
        self.assertTrue(serf.running())
        plain = self.ours("plain")
        self.assertEqual(plain.join(serf), 1)
        self.agree(serf, plain)

    def test_example_presence(self):
        """examples/presence: it joins a serf agent, is heard, hears and says
        goodbye"""
        serf = self.serf("serf")
        program = os.path.join(os.path.dirname(os.path.dirname(binary())),
                               "examples", "presence")
        with subprocess.Popen(
                [program, "ann", f"{self.ip()}:7946", serf.bind], text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE) as ann:
            serf.sees("ann", "alive")
            ann.stdin.write("hello\n/who\n")
            ann.stdin.flush()
            wait("serf to hear", lambda: serf.heard("chat") == ["hello"])
            serf.event("chat", "welcome")
            said = []
            while "welcome" not in "".join(said):
                said.append(ann.stdout.readline())
            self.assertTrue(any("serf" in line and "alive" in line
                                for line in said), said)
            ann.stdin.close()
            self.assertEqual(ann.wait(20), 0)
        serf.sees("ann", "left")
