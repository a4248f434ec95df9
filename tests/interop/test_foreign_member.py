"""A member of the WAN pool that is no server of ours, as memberlist and serf
with the framing of federation.md section 5 would be: alone in a datacenter of
its own, behind a gateway of its own that reads the server name. It joins by the
placeholder through our real gateway, stays alive, and user events and queries
pass both ways. An operator declares its gateway.
"""
import json
import os
import socket
import struct
import subprocess
import threading
import time

from lab import ALIVE, GATEWAY, Lab, Place, binary, members, servers_at, wait
from peer import ALPN_PACKET, ALPN_STREAM, G_ACK, G_PING, G_SUSPECT, G_USER, \
    Identity, SERF_PUSH_PULL, VSN, dial_tls, message, meta, pack, packet, \
    parts, push_pull, read_exactly, read_push_pull, unpack

NETWORK = 36
OURS, FOREIGN, DC = "server1.dc1", "peer.dc9", "dc9"
HOME = (f"127.{NETWORK}.9.1", 8302)       # where the member lives
THEIR_GATEWAY = (f"127.{NETWORK}.9.10", 8443)
OUR_GATEWAY = f"127.{NETWORK}.0.11"
SERF_EVENT, SERF_QUERY, SERF_RESPONSE = 3, 4, 5
WANT_ACK = 1
STAYS_S = 40    # longer than the WAN pool takes to suspect and bury a member


def hello_name(hello):
    """The server name of a TLS ClientHello, by RFC 6066; None if there is
    none."""
    at = 5 + 4 + 2 + 32                                # record, type, random
    at += 1 + hello[at]                                # session id
    at += 2 + struct.unpack_from(">H", hello, at)[0]   # cipher suites
    at += 1 + hello[at]                                # compression
    end = at + 2 + struct.unpack_from(">H", hello, at)[0]
    at += 2
    while at < end:
        kind, size = struct.unpack_from(">HH", hello, at)
        if kind == 0:
            length, = struct.unpack_from(">H", hello, at + 7)
            return hello[at + 9:at + 9 + length].decode()
        at += 4 + size
    return None


class SniGateway:
    """Reads the name, and joins the connection to whom it names."""

    def __init__(self, address, routes):
        self.routes, self.names = routes, []
        self.listener = socket.create_server(address)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(near,),
                             daemon=True).start()

    def _serve(self, near):
        try:
            head = near.recv(5, socket.MSG_PEEK | socket.MSG_WAITALL)
            size = 5 + struct.unpack(">H", head[3:5])[0]
            name = hello_name(near.recv(size, socket.MSG_PEEK
                                        | socket.MSG_WAITALL))
            self.names.append(name)
            far = socket.create_connection(self.routes[name])
        except (OSError, KeyError, IndexError, struct.error):
            near.close()
            return
        threading.Thread(target=self._pump, args=(far, near),
                         daemon=True).start()
        self._pump(near, far)

    @staticmethod
    def _pump(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


class Foreigner:
    """The member: what it hears is kept, pings and queries are answered."""

    def __init__(self, identity):
        self.identity, self.heard, self.pings = identity, [], []
        self.out, self.lock = None, threading.Lock()
        self.context = identity.server([ALPN_PACKET, ALPN_STREAM])
        self.listener = socket.create_server(HOME)
        threading.Thread(target=self._accept, daemon=True).start()

    def node(self):
        return {"Name": FOREIGN, "Addr": socket.inet_aton(HOME[0]),
                "Port": HOME[1], "Incarnation": 1, "State": 0, "Vsn": VSN,
                "Meta": meta(role="cache", team="elsewhere")}

    @staticmethod
    def state():
        return bytes([SERF_PUSH_PULL]) + pack({
            "LTime": 1, "StatusLTimes": {FOREIGN: 1}, "LeftMembers": [],
            "EventLTime": 1, "Events": [], "QueryLTime": 1})

    def dial(self, alpn, name):
        return dial_tls((OUR_GATEWAY, GATEWAY), self.identity.client([alpn]),
                        name)

    def join(self):
        """A push/pull with any server of dc1, as "*.dc1/192.0.2.2" means."""
        stream = self.dial(ALPN_STREAM, "server.dc1.consul")
        stream.settimeout(5)
        stream.sendall(push_pull([self.node()], self.state()))
        nodes, _ = read_push_pull(stream)
        stream.close()
        return {node["Name"].decode() for node in nodes}

    def send(self, data):
        with self.lock:
            try:
                if self.out is None:
                    raise OSError
                self.out.sendall(packet(data))
            except OSError:
                self.out = self.dial(ALPN_PACKET, "server1.server.dc1.consul")
                self.out.sendall(packet(data))

    def user(self, kind, **body):
        self.send(bytes([G_USER, kind]) + pack(body))

    def _accept(self):
        while True:
            try:
                plain, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(plain,),
                             daemon=True).start()

    def _serve(self, plain):
        try:
            with self.context.wrap_socket(plain, server_side=True) as tls:
                if tls.selected_alpn_protocol() == ALPN_PACKET:
                    while True:
                        length, = struct.unpack(">I", read_exactly(tls, 4))
                        for part in parts(read_exactly(tls, length)):
                            self._take(*part)
                read_push_pull(tls)
                tls.sendall(push_pull([self.node()], self.state()))
                tls.unwrap()
        except (OSError, EOFError):
            pass

    def _take(self, kind, body):
        if kind == G_PING:
            ping = unpack(body)
            self.pings.append(ping)
            self.send(message(G_ACK, SeqNo=ping["SeqNo"], Payload=None))
        elif kind == G_SUSPECT:
            self.heard.append(("suspect", unpack(body)))
        elif kind == G_USER:
            self._take_serf(body[0], unpack(body[1:]))

    def _take_serf(self, kind, body):
        self.heard.append((kind, body))
        if kind != SERF_QUERY or body["Name"] != b"colour":
            return
        for flags, payload in ((WANT_ACK, b""), (0, b"blue")):
            self.user(SERF_RESPONSE, LTime=body["LTime"], ID=body["ID"],
                      From=FOREIGN, Flags=flags, Payload=payload)

    def got(self, kind, **want):
        for found, body in list(self.heard):
            if found == kind and all(body.get(key) == value
                                     for key, value in want.items()):
                return body
        return None


class ForeignMember(Lab):
    places = {"dc1": {"servers": servers_at(NETWORK, 1),
                      "gateway": Place(f"127.{NETWORK}.0.10", OUR_GATEWAY)}}
    settings = {"encrypt": "", "wan_allow_foreign_members": True}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = cls.federation.servers["dc1"][0]
        cls.federation.run("tls", "cert", "create", "-server", "-dc", DC,
                           "-node", "peer")
        stem = os.path.join(cls.federation.tls, f"{DC}-server-consul-0")
        cls.member = Foreigner(Identity(
            os.path.join(cls.federation.tls, "consul-agent-ca.pem"),
            f"{stem}.pem", f"{stem}-key.pem"))
        cls.gateway = SniGateway(THEIR_GATEWAY, {
            "peer.server.dc9.consul": HOME, "server.dc9.consul": HOME})
        cls.federation.wait("our gateway in the federation states", lambda: (
            cls.server.get("/v1/internal/federation-states/mesh-gateways")
            or {}).get("dc1"))

    def isthmus(self, *words):
        done = subprocess.run(
            [binary(), *words,
             f"-http-addr={self.server.place.lan}:8500"],
            capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def listed(self):
        return members(self.server, wan=True).get(FOREIGN, {})

    def test_1_declared_by_an_operator(self):
        """its gateway is put for its datacenter, and our gateway routes there"""
        self.isthmus("federation", "put", f"-dc={DC}",
                     f"-gateway={THEIR_GATEWAY[0]}:{THEIR_GATEWAY[1]}")
        shown = self.isthmus("federation", "gateways")
        self.assertIn(THEIR_GATEWAY[0], shown)

    def test_2_it_joins_by_the_placeholder(self):
        """a push/pull with any server of dc1 through our gateway lists it, and
        shows it our server"""
        names = wait("our gateway to lead to a server",
                     lambda: self._try(self.member.join))
        self.assertIn(OURS, names)
        self.wait("our server to list it alive",
                  lambda: self.listed().get("Status") == ALIVE)
        self.assertEqual(self.listed()["Tags"]["role"], "cache")

    @staticmethod
    def _try(deed):
        try:
            return deed()
        except (OSError, EOFError):
            return None

    def test_3_events_both_ways(self):
        """an event that it fires is heard by our server, and one of ours by
        it"""
        self.member.user(SERF_EVENT, LTime=5, Name="from-there",
                         Payload=b"hello", CC=False)
        self.wait("our server to hear its event", lambda: any(
            event["Name"] == "from-there"
            for event in self.server.get("/v1/event/list") or []))
        self.isthmus("event", "-wan", "-name=from-here", "hello")
        heard = self.wait("it to hear our event", lambda: self.member.got(
            SERF_EVENT, Name=b"from-here"))
        self.assertEqual(heard["Payload"], b"hello")

    def test_4_queries_both_ways(self):
        """our query is answered by it, and its query by our server"""
        said = self.isthmus("query", "-wan", "-timeout=3s", "colour")
        self.assertIn(FOREIGN, said)
        self.assertIn("blue", said)
        self.member.user(
            SERF_QUERY, LTime=50, ID=77, Addr=socket.inet_aton(HOME[0]),
            Port=HOME[1], SourceNode=FOREIGN, Filters=[], Flags=WANT_ACK,
            RelayFactor=0, Timeout=5 * 10**9, Name="isthmus:version",
            Payload=b"")
        self.wait("the ack of our server", lambda: self.member.got(
            SERF_RESPONSE, ID=77, From=OURS.encode(), Flags=WANT_ACK))
        self.wait("the answer of our server", lambda: self.member.got(
            SERF_RESPONSE, ID=77, From=OURS.encode(), Flags=0))

    def test_5_it_stays_alive(self):
        """for longer than a death takes to be declared it is probed by name,
        through both gateways, and never suspected"""
        end = time.monotonic() + STAYS_S
        while time.monotonic() < end:
            self.assertEqual(self.listed().get("Status"), ALIVE)
            time.sleep(0.5)
        self.assertGreater(len(self.member.pings), 2)
        self.assertEqual({ping["SourceNode"] for ping in self.member.pings},
                         {OURS.encode()})
        self.assertIsNone(self.member.got("suspect", Node=FOREIGN.encode()))
        self.assertIn("peer.server.dc9.consul", self.gateway.names)

    def test_6_status_and_delete(self):
        """federation status shows the datacenter; delete takes its gateway
        away"""
        shown = json.loads(self.isthmus("federation", "status",
                                        "-format=json"))
        row, = [row for row in shown["Datacenters"] if row["Name"] == DC]
        self.assertTrue(row["OperatorOwned"])
        self.assertEqual((row["ServersAlive"], row["GatewaysUsable"]), (1, 1))
        self.assertFalse(row["Supported"])
        self.isthmus("federation", "delete", f"-dc={DC}")
        self.assertNotIn(THEIR_GATEWAY[0],
                         self.isthmus("federation", "gateways"))
