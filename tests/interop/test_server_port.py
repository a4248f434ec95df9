"""The server port from outside: every first byte, every ALPN value, every kind
of certificate; what is refused is closed and moves its counter, and the agent
goes on. Federation.md section 3 is the table; this peer is Python's ssl.
"""
import os
import socket
import ssl
import time

from lab import counter, ended, moves, wait
from peer import ALPN_MULTI, ALPN_PACKET, ALPN_RAFT, ALPN_SINGLE, \
    ALPN_SNAPSHOT, ALPN_STREAM, Caller, Identity
from port_lab import NAME, REFUSED, PortLab, stays

ACCEPTED = "isthmus.rpc.accepted"
HANDSHAKE_S = 5
HANDSHAKES_MAX = 64
CONNECTIONS_MAX = 100


class FirstByte(PortLab):
    network = 14

    def test_01_plain_protocols(self):
        """bytes 0, 1, 4 and 5 without TLS are refused while federation is
        on"""
        for byte in (0, 1, 4, 5):
            with self.subTest(byte=byte), self.refused("not-tls"):
                ended(self.dial(bytes([byte])))

    def test_02_unknown_bytes(self):
        """bytes 2, 6, 7, 8, 9, 0x15, 0x17, 0x80 and 0xff are refused"""
        for byte in (2, 6, 7, 8, 9, 0x15, 0x17, 0x80, 0xff):
            with self.subTest(byte=byte), self.refused("unknown-byte"):
                ended(self.dial(bytes([byte])))

    def test_03_http(self):
        """plain HTTP is refused without a word"""
        with self.refused("unknown-byte"):
            ended(self.dial(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"))

    def test_04_garbage(self):
        """garbage is refused; so is garbage that begins as TLS does, native
        or after byte 3"""
        with self.refused("unknown-byte"):
            ended(self.dial(b"\xde\xad" + os.urandom(4096)))
        for first in (b"\x16", b"\x16\x03\x01\x02\x00", b"\x03\x16\x03\x01"):
            with self.subTest(first=first), self.refused("handshake"):
                connection = self.dial(first + b"\xaa" * 4096)
                with self.assertRaises((EOFError, OSError)):
                    while True:      # a TLS alert may come first
                        if not connection.recv(4096):
                            raise EOFError

    def test_05_nothing_said(self):
        """who connects and leaves without a word is no refusal"""
        before = counter(self.server, REFUSED)
        for _ in range(10):
            self.dial().close()
        time.sleep(0.1)
        self.assertEqual(counter(self.server, REFUSED), before)


class InsideTls(PortLab):
    """Byte 3: TLS follows, and inside it a second byte."""
    network = 15

    def test_11_rpc(self):
        """byte 3, TLS, then byte 4 or 0 speaks RPC"""
        for byte in (4, 0):
            with self.subTest(byte=byte):
                connection = self.dial_tls(self.client, first=3, inner=byte)
                self.assertIsNone(connection.selected_alpn_protocol())
                self.assertEqual(self.status_leader(Caller(connection)),
                                 f"{self.port[0]}:8300")

    def test_12_raft(self):
        """byte 1 inside TLS is Raft for a server of this datacenter"""
        with moves(self, self.server, ACCEPTED, protocol="raft"):
            stays(self.dial_tls(self.colleague, first=3, inner=1))

    def test_13_snapshot(self):
        """byte 5 inside TLS: nothing speaks it in this version; refused"""
        with self.refused("no-handler"):
            ended(self.dial_tls(self.colleague, first=3, inner=5))

    def test_14_tls_in_tls(self):
        """TLS inside TLS, by byte 3 or by a handshake record, is refused"""
        for byte in (3, 0x16):
            with self.subTest(byte=byte), self.refused("tls-in-tls"):
                ended(self.dial_tls(self.colleague, first=3, inner=byte))

    def test_15_unknown_bytes(self):
        """bytes 2, 6, 7, 8 and 'G' are refused inside TLS too"""
        for byte in (2, 6, 7, 8, ord("G")):
            with self.subTest(byte=byte), self.refused("unknown-byte"):
                ended(self.dial_tls(self.colleague, first=3, inner=byte))

    def test_16_no_certificate(self):
        """TLS after byte 3 without a client certificate is refused"""
        with self.refused("handshake"):
            try:
                ended(self.dial_tls(self.nobody, first=3))
            except ssl.SSLError:
                pass

    def test_17_client_certificate(self):
        """a -client certificate is refused for Raft and snapshots, byte by
        byte"""
        for byte in (1, 5):
            with self.subTest(byte=byte), self.refused("certificate-name"):
                ended(self.dial_tls(self.client, first=3, inner=byte))


class NativeTls(PortLab):
    """First byte 0x16: the ALPN value names the protocol."""
    network = 16

    def handshake_fails(self, identity, alpns, name=NAME, newest=None):
        """In TLS 1.3 the client is done first and hears of it on reading."""
        try:
            connection = self.dial_tls(identity, alpns, name, newest=newest)
            self.assertLess(ended(connection), 2)
        except (ssl.SSLError, ConnectionError):
            pass

    def test_21_rpc(self):
        """isthmus/rpc-multi and isthmus/rpc-single speak RPC with any
        certificate of the authority"""
        for alpn in (ALPN_MULTI, ALPN_SINGLE):
            for who in (self.client, self.colleague, self.foreigner):
                with self.subTest(alpn=alpn):
                    connection = self.dial_tls(who, [alpn])
                    self.assertEqual(connection.selected_alpn_protocol(), alpn)
                    self.status_leader(Caller(connection))

    def test_22_server_protocols(self):
        """isthmus/raft for this datacenter's servers, both gossip protocols
        for servers of any"""
        for alpn, who in ((ALPN_RAFT, self.colleague),
                          (ALPN_PACKET, self.colleague),
                          (ALPN_PACKET, self.foreigner),
                          (ALPN_STREAM, self.colleague),
                          (ALPN_STREAM, self.foreigner)):
            with self.subTest(alpn=alpn):
                connection = self.dial_tls(who, [alpn])
                self.assertEqual(connection.selected_alpn_protocol(), alpn)
                stays(connection)

    def test_23_client_certificate(self):
        """a -client certificate is refused for Raft and both gossip
        protocols"""
        for alpn in (ALPN_RAFT, ALPN_PACKET, ALPN_STREAM):
            with self.subTest(alpn=alpn), self.refused("certificate-name"):
                ended(self.dial_tls(self.client, [alpn]))

    def test_24_foreign_server(self):
        """a server of another datacenter is refused for Raft"""
        with self.refused("certificate-name"):
            ended(self.dial_tls(self.foreigner, [ALPN_RAFT]))

    def test_25_alpn(self):
        """an unknown ALPN value, none at all, a value that differs by case or
        length, and the snapshot protocol that nothing speaks are refused"""
        for alpns in (["h2"], [], ["consul/rpc-multi"], ["ISTHMUS/RPC-MULTI"],
                      ["isthmus/rpc"], ["isthmus/rpc-multi2"],
                      ["http/1.1", "spdy/3"], [ALPN_SNAPSHOT]):
            with self.subTest(alpns=alpns), self.refused("alpn"):
                self.handshake_fails(self.colleague, alpns)

    def test_26_alpn_list(self):
        """out of several offered values a known one is taken"""
        connection = self.dial_tls(self.client, ["h2", ALPN_MULTI])
        self.assertEqual(connection.selected_alpn_protocol(), ALPN_MULTI)

    def test_27_no_certificate(self):
        """TLS without a client certificate is refused"""
        with self.refused("handshake"):
            self.handshake_fails(self.nobody, [ALPN_MULTI])

    def test_28_other_authority(self):
        """a certificate of another authority is refused"""
        with self.refused("handshake"):
            self.handshake_fails(self.stranger, [ALPN_MULTI])

    def test_29_wrong_server_name(self):
        """a hello for another server, datacenter or domain is refused"""
        for name in ("server2.server.dc1.consul", "server1.server.dc2.consul",
                     "server.dc2.consul", "server1.server.dc1.example",
                     "www.example.org"):
            with self.subTest(name=name), self.refused("server-name"):
                self.handshake_fails(self.colleague, [ALPN_MULTI], name)

    def test_30_right_server_names(self):
        """the exact name, the datacenter's, and any case of both are served;
        the certificate bears them"""
        for name in (NAME, "server.dc1.consul", "Server1.SERVER.dc1.Consul"):
            with self.subTest(name=name):
                connection = self.dial_tls(self.client, [ALPN_MULTI], name)
                self.status_leader(Caller(connection))
        names = {value for kind, value in
                 connection.getpeercert()["subjectAltName"] if kind == "DNS"}
        self.assertEqual(names, {NAME, "server.dc1.consul", "localhost"})

    def test_31_peer_leaves_over_our_certificate(self):
        """a peer that does not trust our certificate leaves in the handshake:
        counted"""
        doubter = Identity(self.stranger.own_ca, self.client.certificate,
                           self.client.key)
        with self.refused("handshake"), \
                self.assertRaises(ssl.SSLCertVerificationError):
            self.dial_tls(doubter, [ALPN_MULTI])

    def test_32_versions(self):
        """TLS 1.2 and 1.3 are spoken, 1.1 is not"""
        for newest, version in ((ssl.TLSVersion.TLSv1_2, "TLSv1.2"),
                                (ssl.TLSVersion.TLSv1_3, "TLSv1.3")):
            connection = self.dial_tls(self.client, [ALPN_MULTI],
                                       newest=newest)
            self.assertEqual(connection.version(), version)
            self.status_leader(Caller(connection))
        with self.refused("handshake"):
            self.handshake_fails(self.client, [ALPN_MULTI],
                                 newest=ssl.TLSVersion.TLSv1_1)

    def test_33_connections_of_one_certificate(self):
        """the 101st connection of one certificate is refused; another
        certificate, and a freed place, are not"""
        open_ones = [self.dial_tls(self.foreigner, [ALPN_MULTI])
                     for _ in range(CONNECTIONS_MAX)]
        callers = [Caller(one) for one in open_ones]
        with self.refused("name-max"):
            ended(self.dial_tls(self.foreigner, [ALPN_MULTI]))
        self.status_leader(self.caller(self.colleague))
        for caller in callers:
            caller.close()

        def served():
            try:
                return self.status_leader(self.caller(self.foreigner))
            except (EOFError, OSError):
                return None
        wait("a freed place", served, 5)


class Slow(PortLab):
    """Peers that take their time; the limits are the defaults."""
    network = 17

    def test_41_cut_after_five_seconds(self):
        """no first byte, no byte inside TLS, a stuck and a trickling
        handshake: each is cut after about 5 s"""
        began = time.monotonic()
        silent = self.dial()
        inside = self.dial_tls(self.client, first=3)
        stuck = [self.dial(b"\x16\x03\x01") for _ in range(5)]
        trickling = self.dial(b"\x16")
        hello = b"\x03\x01\x02\x00" + b"\x01" * 60
        open_ones = {silent, inside, trickling, *stuck}
        before = {reason: counter(self.server, REFUSED, reason=reason)
                  for reason in ("first-byte-timeout", "handshake-timeout")}
        ends = {}
        while open_ones and time.monotonic() - began < 3 * HANDSHAKE_S:
            if trickling in open_ones and hello:
                try:
                    trickling.sendall(hello[:1])
                except OSError:
                    pass
                hello = hello[1:]
            for one in list(open_ones):
                one.settimeout(0.02)
                try:
                    if not one.recv(100):
                        raise ConnectionError
                except socket.timeout:
                    continue
                except OSError:
                    ends[one] = time.monotonic() - began
                    open_ones.discard(one)
        self.assertFalse(open_ones, "still open")
        for seconds in ends.values():
            self.assertGreater(seconds, HANDSHAKE_S - 0.5)
            self.assertLess(seconds, HANDSHAKE_S + 2)
        for reason, moved in (("first-byte-timeout", 2),
                              ("handshake-timeout", 6)):
            self.assertEqual(counter(self.server, REFUSED, reason=reason),
                             before[reason] + moved, reason)

    def test_42_handshakes_in_flight(self):
        """64 stuck handshakes fill the places; the next is served, and the
        one that was stuck longest makes room"""
        stuck = [self.dial(b"\x16\x03\x01") for _ in range(HANDSHAKES_MAX)]
        time.sleep(0.2)
        with self.refused("handshakes-max"):
            self.assertTrue(self.status_leader())
            self.assertLess(ended(stuck[0]), 2)
        for connection in stuck:
            connection.close()
