"""Checks 4 to 8 of the gossip specification's interop list (section 7), by
number: checksums, pings, indirect pings, lost acks, accusations. A plain
socket looks at what a real serf agent and ours put on the wire.
"""
import signal
import time
import zlib

import peer as wire
from gossip_lab import Pool, keygen
from gossip_wire import Socket, alive, crc, exchange, entry, serf_state
from lab import wait

# Six bytes of versions with a PMax of 4: no checksums for that one.
VSN_4 = bytes([1, 4, 2, 2, 5, 5])


class Probes(Pool):
    NETWORK = 42

    def socket(self):
        made = Socket(self.ip())
        self.addCleanup(made.close)
        return made

    def member(self, node, vsn=wire.VSN):
        """A socket that this node takes for a member that is alive."""
        made = self.socket()
        made.answering = True
        name = f"py{made.ip}"
        exchange(node, [entry(name, made.ip, vsn=vsn)], serf_state())
        wait("it to be a member",
             lambda: node.status_of(name) == "alive")
        return made

    def test_serf_04_checksums_are_sent(self):
        """check 4: gossip to a member of PMax 5 is in a checksum, from serf
        and from ours; to one of PMax 4 it is not"""
        for node in (self.serf("serf"), self.ours("ours")):
            newest, older = self.member(node), self.member(node, VSN_4)
            for number in range(20):
                node.event(f"e{number}", "x")
            wait(f"gossip of {node.name}", lambda n=newest, o=older: all(
                any(b"e19" in body for data in list(s.packets)
                    for _, body in wire.parts(data)) for s in (n, o)))
            found = [data for data in newest.packets if data[0] == 12]
            self.assertTrue(found, f"{node.name} sent no checksum")
            for data in found:
                self.assertEqual(int.from_bytes(data[1:5], "big"),
                                 zlib.crc32(data[5:]))
            self.assertFalse([data for data in older.packets
                              if data[0] == 12])

    def test_serf_04_checksums_are_checked(self):
        """check 4: gossip with a right checksum is taken by both, with a
        wrong one by none; a packet that is too short for one neither"""
        serf, ours = self.pair("serf first")
        wired = self.socket()
        for number, node in enumerate((serf, ours)):
            ip = self.ip()
            wired.send(node, crc(alive(f"bad{number}", ip), wrong=True))
            wired.send(node, b"\x0c\1\2")
            wired.send(node, crc(alive(f"good{number}", ip)))
            wait("the right one", lambda n=node, i=number:
                 f"good{i}" in n.members())
        for node in (serf, ours):
            self.assertNotIn("bad0", node.members())
            self.assertNotIn("bad1", node.members())
        self.assertEqual(ours.counter("isthmus.memberlist.dropped crc"), 1)
        self.assertEqual(serf.said("CRC32 checksum invalid")
                         + serf.said("invalid checksum"), 1)

    def test_serf_05_pings(self):
        """check 5: both answer pings under their name and under none, with
        or without a checksum, and to the address that the ping names; pings
        with another name are ignored"""
        serf, ours = self.pair("serf first")
        wired, other = self.socket(), self.socket()
        for node in (serf, ours):
            self.assertTrue(wired.ping(node), node.name)
            self.assertTrue(wired.ping(node, ""), node.name)
            self.assertFalse(wired.ping(node, "somebody", within=0.5),
                             node.name)
            number = wired.number()
            wired.send(node, crc(wire.message(
                wire.G_PING, SeqNo=number, Node=node.name,
                SourceAddr=bytes(map(int, other.ip.split("."))),
                SourcePort=other.port, SourceNode="py")))
            wait("an ack elsewhere", lambda n=number: n in [
                ack["SeqNo"] for ack in other.messages(wire.G_ACK)])

    def test_serf_05_coordinates(self):
        """check 5: acks carry coordinates both ways: either side has an
        estimate of the round trip"""
        serf, ours = self.pair("ours first")
        wait("serf's estimate", lambda: serf.rtt("ours"))
        wait("our estimate", lambda: ours.rtt("serf"))

    def test_serf_05_coordinates_under_a_key(self):
        """check 5: the same under a key, so that pings and acks pass
        encrypted"""
        serf, ours = self.pair("serf first", key=keygen())
        wait("serf's estimate", lambda: serf.rtt("ours"))
        wait("our estimate", lambda: ours.rtt("serf"))

    def test_serf_06_indirect_pings(self):
        """check 6: each, asked to ping the other for us, brings the ack; for
        a dead port the nack, if one is wanted"""
        serf, ours = self.pair("serf first")
        wired, dead = self.socket(), self.ip()

        def ask(node, ip, name, nack):
            number = wired.number()
            wired.send(node, wire.message(
                wire.G_INDIRECT, SeqNo=number, Nack=nack, Node=name, Port=7946,
                Target=bytes(map(int, ip.split(".")))))
            return number

        for node, other in ((serf, ours), (ours, serf)):
            number = ask(node, other.ip, other.name, True)
            wait("the ack", lambda n=number: n in [
                ack["SeqNo"] for ack in wired.messages(wire.G_ACK)])
            self.assertFalse([ack for ack in wired.messages(wire.G_ACK)
                              if ack["SeqNo"] == number and ack["Payload"]])
            number, silent = ask(node, dead, "gone", True), \
                ask(node, dead, "gone", False)
            wait("the nack", lambda n=number: n in [
                nack["SeqNo"] for nack in wired.messages(wire.G_NACK)])
            self.assertNotIn(silent, [
                nack["SeqNo"] for nack in wired.messages(wire.G_NACK)])
            self.assertNotIn(number, [
                ack["SeqNo"] for ack in wired.messages(wire.G_ACK)])

    def test_serf_07_lost_acks(self):
        """check 7: our acks are lost: the agent asks on a stream and keeps us
        alive; streams are lost too: suspect, then failed; all is back: alive
        again"""
        serf, ours = self.pair("serf first", key=None)
        ours.kill()
        ours.start(compression=False, reconnect_interval_ms=1000)
        ours.join(serf)
        self.agree(serf, ours)
        ours.lose("acks")
        wait("the agent to ask on a stream", lambda: serf.said(
            "Was able to connect to ours but other probes failed"))
        self.assertEqual(serf.status_of("ours"), "alive")
        ours.lose("acks", "streams", serf.ip)
        wait("the agent to suspect ours",
             lambda: serf.said("Suspect ours has failed"))
        serf.sees("ours", "failed")
        ours.lose()
        self.agree(serf, ours, timeout=60)

    def test_serf_07_lost_acks_of_theirs(self):
        """check 7: a member that answers nothing is suspected and failed by
        ours, as by the agent"""
        serf, ours = self.pair("ours first")
        wired = self.member(ours)
        name = f"py{wired.ip}"
        for node in (serf, ours):
            node.sees(name, "alive")
        wired.answering = False
        for node in (serf, ours):
            node.sees(name, "failed")
        self.agree(serf, ours)

    def test_serf_08_refutation(self):
        """check 8: the agent suspects ours, stopped for a while; ours refutes
        with a higher incarnation; and the other way round"""
        serf, ours = self.pair("serf first")
        before = ours.nodes()["ours"]["incarnation"]
        ours.signal(signal.SIGSTOP)
        wait("the agent to suspect ours",
             lambda: serf.said("Suspect ours has failed"))
        ours.signal(signal.SIGCONT)
        wait("ours to refute", lambda:
             ours.nodes()["ours"]["incarnation"] > before)
        self.agree(serf, ours)
        before = ours.nodes()["serf"]["incarnation"]
        serf.signal(signal.SIGSTOP)
        wait("ours to suspect the agent", lambda:
             ours.nodes()["serf"]["state"] == "suspect")
        serf.signal(signal.SIGCONT)
        wait("the agent to refute", lambda:
             ours.nodes()["serf"]["state"] == "alive"
             and ours.nodes()["serf"]["incarnation"] > before)
        self.assertTrue(serf.said("Refuting a suspect message"))
        time.sleep(0.5)
        self.agree(serf, ours)
