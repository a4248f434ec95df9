"""WAN gossip through TLS, played by hand: this peer is server peer.dc2 and the
gateway that leads there. Packets with their four bytes of length, streams with
a push/pull, and what closes a connection. Federation.md section 5.
"""
import json
import os
import socket
import struct
import threading
import time

from lab import ALIVE, FAILED, VECTORS, counter, ended, members, moves, wait
from peer import ALPN_PACKET, ALPN_STREAM, G_ACK, G_DEAD, G_ERROR, G_PING, \
    G_PUSH_PULL, G_SUSPECT, SERF_PUSH_PULL, VSN, dial_tls, message, meta, \
    pack, packet, parts, push_pull, read_exactly, read_push_pull, unpack
from port_lab import NAME, PortLab, stays

NETWORK = 19
OURS, PEER = "server1.dc1", "peer.dc2"
PEER_ADDRESS, PEER_PORT = "127.20.0.1", 8302
GATEWAY = (f"127.{NETWORK}.0.30", 8443)
BAD_FRAMES = "isthmus.wanfed.frames.refused"
PACKET_MAX = 4 << 20


def peer_node(incarnation=1, state=0, **tags):
    return {"Name": PEER, "Addr": socket.inet_aton(PEER_ADDRESS),
            "Port": PEER_PORT, "Incarnation": incarnation, "State": state,
            "Vsn": VSN,
            "Meta": meta(role="isthmus", dc="dc2", port="8300", vsn="1",
                         id="7f2f3ac0-9f0e-4d62-8a53-1f58a2f3c0de", **tags)}


def serf_state(**more):
    return bytes([SERF_PUSH_PULL]) + pack({
        "LTime": 1, "StatusLTimes": {PEER: 1}, "LeftMembers": [],
        "EventLTime": 1, "Events": [], "QueryLTime": 1, **more})


class Peer:
    """The TLS end behind the gateway address: what our server dials for
    peer.dc2. Keeps every packet, and answers pings while told to."""

    def __init__(self, identity, server_port):
        self.identity, self.server_port = identity, server_port
        self.names, self.packets = set(), []
        self.answering = True
        self.reply = None          # a packet connection to the server
        self.context = identity.server([ALPN_PACKET, ALPN_STREAM])
        self.context.sni_callback = \
            lambda _tls, name, _context: self.names.add(name)
        self.listener = socket.create_server(GATEWAY)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                plain, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(plain,),
                             daemon=True).start()

    def serve(self, plain):
        try:
            with self.context.wrap_socket(plain, server_side=True) as tls:
                if tls.selected_alpn_protocol() == ALPN_PACKET:
                    self.read_packets(tls)
                else:
                    read_push_pull(tls)
                    tls.sendall(push_pull([peer_node()], serf_state()))
                    tls.unwrap()
        except (OSError, EOFError):
            pass

    def read_packets(self, tls):
        while True:
            length, = struct.unpack(">I", read_exactly(tls, 4))
            for kind, body in parts(read_exactly(tls, length)):
                body = unpack(body) if kind in (G_PING, G_ACK, G_SUSPECT,
                                                G_DEAD) else body
                self.packets.append((kind, body))
                if kind == G_PING and self.answering:
                    self.send(message(G_ACK, SeqNo=body["SeqNo"],
                                      Payload=None))

    def send(self, data):
        if self.reply is None:
            self.reply = dial_tls(self.server_port, self.identity.client(
                [ALPN_PACKET]), NAME)
        self.reply.sendall(packet(data))

    def got(self, kind, **want):
        """The first packet of that kind with these fields."""
        for found, body in list(self.packets):
            if found == kind and all(body.get(key) == value
                                     for key, value in want.items()):
                return body
        return None

    def close(self):
        self.listener.close()
        if self.reply:
            self.reply.close()


class WanGossip(PortLab):
    network = NETWORK
    settings = {"encrypt": "", "log_level": "debug"}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        address, port = GATEWAY
        where = {"Address": address, "Port": port}
        taken = cls.server.put("/v1/agent/service/register", {
            "Name": "mesh-gateway", "Kind": "mesh-gateway", **where,
            "TaggedAddresses": {"lan": where, "wan": where},
            "Meta": {"consul-wan-federation": "1"}})
        assert taken, "the agent took no gateway"
        cls.peer = Peer(cls.foreigner, cls.port)
        cls.addClassCleanup(cls.peer.close)

    def packets(self):
        return self.dial_tls(self.foreigner, [ALPN_PACKET])

    def stream(self):
        connection = self.dial_tls(self.foreigner, [ALPN_STREAM])
        connection.settimeout(5)
        return connection

    def ping(self, number, node=OURS):
        return message(G_PING, SeqNo=number, Node=node, SourceNode=PEER,
                       SourceAddr=socket.inet_aton(PEER_ADDRESS),
                       SourcePort=PEER_PORT)

    def await_ack(self, number):
        return wait(f"the ack {number}",
                    lambda: self.peer.got(G_ACK, SeqNo=number), 10)

    # ---- packets ----

    def test_01_ping(self):
        """a ping in a frame is answered by an ack, over a connection that the
        server dials through the gateway by our name"""
        connection = self.packets()
        connection.sendall(packet(self.ping(101)))
        self.assertTrue(self.await_ack(101))
        self.assertEqual(self.peer.names, {"peer.server.dc2.consul"})
        stays(connection)        # one-way: nothing comes back on ours

    def test_02_many_in_one_write(self):
        """fifty frames in one write, and one frame byte by byte, are all
        answered"""
        connection = self.packets()
        numbers = range(200, 250)
        with moves(self, self.server, "isthmus.wanfed.packets.received",
                   by=len(numbers) + 1):
            connection.sendall(b"".join(packet(self.ping(number))
                                        for number in numbers))
            for byte in packet(self.ping(250)):
                connection.sendall(bytes([byte]))
            for number in (*numbers, 250):
                self.await_ack(number)

    def test_03_other_name(self):
        """a ping for another name is not answered"""
        connection = self.packets()
        connection.sendall(packet(self.ping(301, "server9.dc1"))
                           + packet(self.ping(302)))
        self.await_ack(302)
        self.assertIsNone(self.peer.got(G_ACK, SeqNo=301))

    def test_04_compound(self):
        """both pings of a compound packet are answered"""
        pings = [self.ping(401), self.ping(402)]
        connection = self.packets()
        connection.sendall(packet(
            bytes([7, 2]) + struct.pack(">HH", *map(len, pings))
            + b"".join(pings)))
        self.await_ack(401)
        self.await_ack(402)

    def test_05_bad_lengths(self):
        """a length of 0, of 4 MiB and 1, and of 4 GiB closes the
        connection"""
        for length in (0, PACKET_MAX + 1, 0xffffffff):
            with self.subTest(length=length), \
                    moves(self, self.server, BAD_FRAMES):
                connection = self.packets()
                connection.sendall(packet(self.ping(500))
                                   + struct.pack(">I", length) + b"x" * 100)
                ended(connection)

    def test_06_largest(self):
        """a frame of exactly 4 MiB is taken, garbage though it is, and the
        next one is answered"""
        connection = self.packets()
        connection.sendall(packet(b"\xee" * PACKET_MAX)
                           + packet(self.ping(601)))
        self.await_ack(601)

    def test_07_garbage_in_frames(self):
        """garbage in frames closes nothing: each is dropped, the next ping is
        answered"""
        connection = self.packets()
        dropped = counter(self.server, "isthmus.memberlist.dropped")
        for junk in (b"\0", b"\x00\xff", b"\x07\xff", b"\x09\xc0",
                     b"\x0c\0\0\0\0\0", os.urandom(500), b"\x04" * 1000,
                     message(99), message(G_PING, SeqNo="x")):
            connection.sendall(packet(junk))
        connection.sendall(packet(self.ping(701)))
        self.await_ack(701)
        self.assertGreater(counter(self.server, "isthmus.memberlist.dropped"),
                           dropped)

    def test_08_vectors(self):
        """every packet of the golden vectors goes in; the server lives, and
        no foreign name gets into the pool"""
        with open(os.path.join(VECTORS, "index.json")) as file:
            vectors = json.load(file)["vectors"]
        connection = self.packets()
        sent = 0
        for vector in vectors:
            if vector["group"] in ("message", "packet", "compound",
                                   "newest-codec", "serf"):
                with open(os.path.join(VECTORS, vector["file"])) as file:
                    connection.sendall(packet(bytes.fromhex(file.read())))
                sent += 1
        self.assertGreater(sent, 40)
        connection.sendall(packet(self.ping(801)))
        self.await_ack(801)
        self.assertEqual(set(members(self.server, wan=True)), {OURS})

    # ---- streams ----

    def test_11_push_pull(self):
        """a push/pull that joins is answered with the server's own record and
        serf state; then it lists us alive"""
        stream = self.stream()
        stream.sendall(push_pull([peer_node()], serf_state()))
        nodes, state = read_push_pull(stream)
        ours = {node["Name"]: node for node in nodes}[OURS.encode()]
        self.assertEqual(ours["State"], 0)
        self.assertEqual(ours["Addr"], socket.inet_aton(self.port[0]))
        self.assertEqual(ours["Port"], 8302)
        self.assertEqual(len(ours["Vsn"]), 6)
        self.assertEqual(ours["Meta"][0], 0xff)
        tags = unpack(ours["Meta"][1:])
        self.assertEqual((tags["role"], tags["dc"]), (b"isthmus", b"dc1"))
        self.assertEqual(state[0], SERF_PUSH_PULL)
        self.assertEqual(set(unpack(state[1:])),
                         {"LTime", "StatusLTimes", "LeftMembers",
                          "EventLTime", "Events", "QueryLTime"})
        self.assertIn(OURS, unpack(state[1:])["StatusLTimes"])
        member = wait("the server to list us", lambda: members(
            self.server, wan=True).get(PEER))
        self.assertEqual(member["Status"], ALIVE)
        self.assertEqual(member["Tags"]["dc"], "dc2")
        self.assertEqual(member["Addr"], PEER_ADDRESS)

    def test_12_it_probes_us(self):
        """the server probes us through the gateway, by name, and names itself
        for the answer"""
        ping = wait("a ping", lambda: self.peer.got(G_PING), 20)
        self.assertEqual(ping["Node"], PEER.encode())
        self.assertEqual(ping["SourceNode"], OURS.encode())
        time.sleep(0.5)
        self.assertEqual(members(self.server, wan=True)[PEER]["Status"],
                         ALIVE)

    def test_13_state_in_packets(self):
        """a dead message about us from ourselves makes us gone; a newer alive
        brings us back"""
        connection = self.packets()
        connection.sendall(packet(message(
            G_DEAD, Incarnation=1, Node=PEER, From=PEER)))
        self.wait("the server to see us gone", lambda: members(
            self.server, wan=True)[PEER]["Status"] in (FAILED, 3))
        node = peer_node(incarnation=2)
        connection.sendall(packet(message(
            4, Incarnation=2, Node=PEER, Addr=node["Addr"], Port=PEER_PORT,
            Meta=node["Meta"], Vsn=VSN)))
        self.wait("the server to see us back", lambda: members(
            self.server, wan=True)[PEER]["Status"] == ALIVE)

    def test_14_it_refutes(self):
        """accused of being dead, the server refutes with a higher
        incarnation: we see it in an alive message"""
        connection = self.packets()
        connection.sendall(packet(message(
            G_SUSPECT, Incarnation=900, Node=OURS, From=PEER)))

        def refuted():
            return any(kind == 4 and unpack(body).get("Node") == OURS.encode()
                       and unpack(body)["Incarnation"] == 901
                       for kind, body in self.peer.packets)
        wait("an alive of incarnation 901", refuted, 10)

    def test_15_foreigners(self):
        """a push/pull with a member that is no server, or of a name without a
        datacenter, is not taken into the pool"""
        for name, tags in (("web.dc2", {"role": "web"}),
                           ("nodot", {"role": "isthmus", "dc": "dc2"}),
                           ("a.b.dc2", {"role": "isthmus", "dc": "dc2"}),
                           ("liar.dc2", {"role": "isthmus", "dc": "dc3"})):
            with self.subTest(name=name):
                node = dict(peer_node(), Name=name, Meta=meta(**tags),
                            Addr=socket.inet_aton("127.20.0.9"))
                stream = self.stream()
                stream.sendall(push_pull([node], serf_state()))
                try:
                    read_push_pull(stream)
                except (EOFError, OSError):
                    pass
                connection = self.packets()
                connection.sendall(packet(message(
                    4, Incarnation=1, Node=name, Addr=node["Addr"],
                    Port=PEER_PORT, Meta=node["Meta"], Vsn=VSN))
                    + packet(self.ping(1500)))
                self.await_ack(1500)
                self.peer.packets[:] = [
                    one for one in self.peer.packets if one[0] != G_ACK]
                self.assertEqual(set(members(self.server, wan=True)),
                                 {OURS, PEER})

    def test_16_stream_ping(self):
        """a ping on a stream is answered by an ack on it; for another name
        the stream closes"""
        stream = self.stream()
        stream.sendall(self.ping(1601))
        (kind, body), = parts(stream.recv(4096))
        self.assertEqual((kind, unpack(body)["SeqNo"]), (G_ACK, 1601))
        stream = self.stream()
        stream.sendall(self.ping(1602, "server9.dc1"))
        ended(stream)

    def test_17_bad_streams(self):
        """an unknown type, cut and lying push/pulls: the stream ends, nothing
        is taken"""
        lying = pack({"Nodes": 1 << 30, "UserStateLen": 0, "Join": True})
        for what, data in (
                ("unknown type", b"\x2a" + b"x" * 50),
                ("nodes that never come", bytes([G_PUSH_PULL]) + lying),
                ("negative nodes", bytes([G_PUSH_PULL]) + b"\x83"
                 + pack("Join") + b"\xc3" + pack("Nodes") + b"\xff"
                 + pack("UserStateLen") + b"\0"),
                ("no msgpack", bytes([G_PUSH_PULL]) + b"\xc1" * 100),
                ("a compressed bomb of nothing", b"\x09" + pack(
                    {"Algo": 0, "Buf": b""}))):
            with self.subTest(what=what):
                stream = self.stream()
                stream.sendall(data)
                stream.settimeout(15)
                try:
                    said = stream.recv(4096)
                except OSError:
                    said = b""
                self.assertIn(said[:1], (b"", bytes([G_ERROR]), b"\x09"))
        self.assertEqual(set(members(self.server, wan=True)), {OURS, PEER})

    def test_18_silence(self):
        """when we stop answering, the server suspects us, and asks us to
        refute"""
        self.peer.answering = False
        self.wait("a suspect message about us", lambda: self.peer.got(
            G_SUSPECT, Node=PEER.encode(), From=OURS.encode()), 60)
        self.peer.answering = True
