"""RPC as docs/protocol.md has it, spoken by hand: framing, both forms of
connection, bodies in parts, errors, and what ends a connection.
"""
import struct

from lab import counter, ended
from peer import ALPN_SINGLE, CANCEL, DATA, GOAWAY, GRANT, HELLO, PART, PING, \
    PONG, RESPONSE, Answer, Caller, field, fields, frame, hello, read_frame, \
    request
from port_lab import PortLab, stays

BUSY, NO_METHOD, DENIED, TOO_BIG = -202, -210, -211, -215
REQUEST_TYPE = 2
# Fields of the bodies (daemon/proto/server.proto, fedstate/fedstate.proto).
DATACENTER, MIN_INDEX, MAX_WAIT_MS, NAME = 1, 2, 3, 5
INDEX, NODES, DATACENTERS = 1, 4, 10
NODE_NAME = 2


class RpcFrames(PortLab):
    network = 18

    def raw(self, *frames):
        """A connection that sends these after its HELLO and got the other's."""
        connection = self.caller(self.client).connection
        connection.sendall(b"".join(frames))
        return connection

    def test_01_hello(self):
        """HELLO of the server: version 1, calls in flight, body limit 16
        MiB"""
        caller = self.caller(self.client)
        self.assertEqual(caller.version, 1)
        self.assertGreaterEqual(caller.calls, 1)
        self.assertEqual(caller.body_max, 16 << 20)

    def test_02_hello_is_not_waited_for(self):
        """requests may follow our HELLO at once"""
        connection = self.dial_tls(self.client, ["isthmus/rpc-multi"])
        connection.sendall(hello() + request(7, "Status.Leader"))
        self.assertEqual(read_frame(connection)[0], HELLO)
        kind, number, payload = read_frame(connection)
        self.assertEqual((kind, number), (RESPONSE, 7))
        self.assertEqual(Answer(payload).status, 0)

    def test_03_reads(self):
        """Catalog.Datacenters and Catalog.Nodes answer in protobuf"""
        caller = self.caller(self.client)
        found = fields(caller.call("Catalog.Datacenters").body)
        self.assertEqual(found[DATACENTERS], [b"dc1"])
        found = fields(caller.call("Catalog.Nodes").body)
        names = [fields(node)[NODE_NAME] for node in found[NODES]]
        self.assertEqual(names, [[b"server1"]])
        self.assertGreaterEqual(found[INDEX][0], 1)

    def test_04_many_calls(self):
        """60 calls at once on one connection: each is answered, by its id"""
        caller = self.caller(self.client)
        sent = {caller.send("Status.Leader") for _ in range(60)}
        answers = [caller.receive() for _ in range(60)]
        self.assertEqual({number for number, _ in answers}, sent)
        for _, answer in answers:
            self.assertEqual(answer.status, 0)

    def test_05_single(self):
        """rpc-single: one answer, GOAWAY, end"""
        caller = self.caller(self.client, ALPN_SINGLE)
        self.status_leader(caller)
        kind, number, payload = read_frame(caller.connection)
        self.assertEqual((kind, number, payload), (GOAWAY, 1, b""))
        ended(caller.connection)

    def test_06_unknown_method(self):
        """an unknown method is answered -210 with words that name it; the
        connection lives"""
        caller = self.caller(self.client)
        answer = caller.call("Status.Nothing")
        self.assertEqual(answer.status, NO_METHOD)
        self.assertIn("Status.Nothing", answer.text)
        self.status_leader(caller)

    def test_07_server_only(self):
        """server-only methods are answered -211 to a -client certificate, and
        not to a server's"""
        caller = self.caller(self.client)
        for method in ("FederationState.Apply", "FederationState.Replicate",
                       "Cluster.Birth"):
            with self.subTest(method=method):
                self.assertEqual(caller.call(method).status, DENIED)
        self.status_leader(caller)
        answer = self.caller(self.foreigner).call("FederationState.Replicate")
        self.assertEqual((answer.status, answer.text), (0, ""))

    def test_08_long_body(self):
        """a body of 200,000 bytes waits for its GRANT, then comes in DATA
        frames; small calls pass it"""
        body = field(NAME, b"x" * 200000)
        caller = self.caller(self.client)
        sent = caller.send("Status.Leader", body)
        self.status_leader(Caller(self.dial_tls(self.client,
                                                ["isthmus/rpc-multi"])))
        self.assertEqual(read_frame(caller.connection), (GRANT, sent, b""))
        small = caller.send("Status.Leader")
        self.assertEqual(caller.receive()[0], small)
        for at in range(PART, len(body), 50000):
            caller.connection.sendall(frame(DATA, sent, body[at:at + 50000]))
        number, answer = caller.receive()
        self.assertEqual((number, answer.status), (sent, 0))

    def test_09_body_over_the_limit(self):
        """a body over the limit is answered -215 by its length alone; the
        connection lives"""
        caller = self.caller(self.client)
        caller.send("Status.Leader", b"y" * PART, total=(16 << 20) + 1)
        self.assertEqual(caller.receive()[1].status, TOO_BIG)
        self.status_leader(caller)

    def test_10_bad_body(self):
        """a body that is no protobuf is an error of that call alone"""
        caller = self.caller(self.client)
        for body in (b"\xff" * 10, b"\x0a\xff\xff\xff\xff\x7f", b"\x08"):
            self.assertLess(caller.call("Catalog.Nodes", body).status, 0)
        self.status_leader(caller)

    def test_11_deadline(self):
        """a blocking read without news is answered before timeout_ms is over:
        an answer is better than -208"""
        caller = self.caller(self.client)
        query = field(MIN_INDEX, 1 << 40) + field(MAX_WAIT_MS, 60000)
        caller.send("Catalog.Nodes", query, timeout_ms=200)
        self.assertEqual(caller.receive()[1].status, 0)

    def test_12_cancel(self):
        """a cancelled blocking read gets no answer, and its index wakes
        nobody"""
        caller = self.caller(self.client)
        query = field(MIN_INDEX, 1 << 40) + field(MAX_WAIT_MS, 300)
        sent = caller.send("Catalog.Nodes", query)
        caller.connection.sendall(frame(CANCEL, sent))
        stays(caller.connection, 0.8)
        caller.connection.settimeout(10)
        self.status_leader(caller)

    def test_13_blocking_read(self):
        """a blocking read wakes when a service is registered, with a higher
        index"""
        caller = self.caller(self.client)
        index = fields(caller.call("Catalog.Services").body)[INDEX][0]
        sent = caller.send("Catalog.Services", field(MIN_INDEX, index)
                           + field(MAX_WAIT_MS, 10000), timeout_ms=15000)
        stays(caller.connection)
        caller.connection.settimeout(10)
        self.assertTrue(self.server.put("/v1/agent/service/register",
                                        {"Name": "web", "Port": 80}))
        number, answer = caller.receive()
        self.assertEqual((number, answer.status), (sent, 0))
        self.assertGreater(fields(answer.body)[INDEX][0], index)
        self.assertIn(b"web", answer.body)

    def test_14_ping(self):
        """PING is answered by PONG with its id"""
        connection = self.raw(frame(PING, 12345))
        self.assertEqual(read_frame(connection), (PONG, 12345, b""))

    def test_15_skipped_types(self):
        """unknown types with the high bit, and DATA, GRANT and CANCEL of
        unknown calls are skipped"""
        connection = self.raw(frame(0x80, 1, b"later"), frame(0xff, 0),
                              frame(DATA, 99, b"late"), frame(GRANT, 99),
                              frame(CANCEL, 99), frame(PING, 1))
        self.assertEqual(read_frame(connection), (PONG, 1, b""))

    def test_16_what_ends_a_connection(self):
        """an unknown type, reserved bytes, a length over the limit, frames of
        the other side, a second HELLO, malformed payloads: the connection
        ends, the server goes on"""
        head = struct.pack(">IIBBH", 0, 1000, 0, 13, 0)
        bad = {
            "unknown type": frame(10, 1), "type 0": frame(0, 1),
            "type 0x7f": frame(0x7f, 1),
            "reserved bytes": frame(PING, 1, reserved=1),
            "length over the limit": struct.pack(">IB3sI", 69633, DATA,
                                                 b"\0\0\0", 1),
            "length of 4 GiB": b"\xff" * 4 + bytes([DATA]) + b"\0" * 7,
            "RESPONSE from a caller": frame(RESPONSE, 1, b"\0" * 12),
            "GOAWAY from a caller": frame(GOAWAY, 1),
            "a second HELLO": hello(),
            "short REQUEST": frame(REQUEST_TYPE, 1, b"\0" * 5),
            "method longer than the payload":
                frame(REQUEST_TYPE, 1, head + b"Status"),
            "empty method": frame(REQUEST_TYPE, 1, struct.pack(
                ">IIBBH", 0, 1000, 0, 0, 0)),
            "method with a space": request(1, "Status Leader"),
            "token over the limit": frame(REQUEST_TYPE, 1, struct.pack(
                ">IIBBH", 0, 1000, 0, 1, 1025) + b"S" + b"t" * 1025),
            "first part shorter than it says":
                frame(REQUEST_TYPE, 1, struct.pack(
                    ">IIBBH", 10, 1000, 0, 6, 0) + b"Status" + b"x"),
            "id 0": request(0, "Status.Leader"),
            "an id twice": request(5, "Status.Leader") * 2,
            "PING with a payload": frame(PING, 1, b"x"),
            "GRANT with a payload": frame(GRANT, 1, b"x"),
            "CANCEL with a payload": frame(CANCEL, 1, b"x"),
        }
        for what, data in bad.items():
            with self.subTest(what=what):
                connection = self.raw(data)
                connection.settimeout(5)
                try:     # answers to what was right before it may come
                    while connection.recv(65536):
                        pass
                except ConnectionError:
                    pass

    def test_17_no_hello(self):
        """a first frame that is not HELLO, and a HELLO of version 0, end the
        connection"""
        for first in (request(1, "Status.Leader"), hello(version=0),
                      frame(HELLO, 0, b"\0\1\0\1")):
            connection = self.dial_tls(self.client, ["isthmus/rpc-multi"])
            connection.sendall(first)
            connection.settimeout(5)
            try:
                while connection.recv(65536):
                    pass
            except ConnectionError:
                pass

    def test_18_bytes_one_by_one(self):
        """a request that comes byte by byte is answered"""
        connection = self.dial_tls(self.client, ["isthmus/rpc-multi"])
        for byte in hello() + request(1, "Status.Leader"):
            connection.sendall(bytes([byte]))
        read_frame(connection)
        self.assertEqual(read_frame(connection)[:2], (RESPONSE, 1))

    def test_19_counted(self):
        """requests are counted"""
        before = counter(self.server, "isthmus.rpc.request")
        self.caller(self.client).call("Catalog.Nodes")
        self.assertGreater(counter(self.server, "isthmus.rpc.request"), before)
