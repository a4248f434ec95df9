"""One server with federation on, and certificates of every kind to call its
server port with. Gossip is not encrypted, so that plain Python can read it.
"""
import os
import shutil
import socket
import tempfile

from lab import Federation, Lab, binary, leading, moves, servers_at
from peer import ALPN_MULTI, Caller, Identity, dial, dial_tls, fields

PORT = 8300
REFUSED = "isthmus.rpc.refused"
NAME = "server1.server.dc1.consul"


class PortLab(Lab):
    settings = {"encrypt": ""}
    network = 0        # each class has its own

    @classmethod
    def setUpClass(cls):
        cls.places = {"dc1": {"servers": servers_at(cls.network, 1)}}
        super().setUpClass()
        cls.server = cls.federation.servers["dc1"][0]
        cls.port = (cls.server.place.lan, PORT)
        ca = os.path.join(cls.federation.tls, "consul-agent-ca.pem")
        cls.nobody = Identity(ca)
        cls.client = cls.identity(ca, "dc1-client-consul-0", "-client")
        cls.colleague = cls.identity(ca, "dc1-server-consul-1", "-server",
                                     "-node", "peer")
        cls.foreigner = cls.identity(ca, "dc2-server-consul-0", "-server",
                                     "-dc", "dc2", "-node", "peer")
        cls.stranger = cls.other_authority(ca)

    @classmethod
    def identity(cls, ca, stem, *flags):
        """A certificate by our own command."""
        cls.federation.run("tls", "cert", "create", *flags)
        stem = os.path.join(cls.federation.tls, stem)
        return Identity(ca, f"{stem}.pem", f"{stem}-key.pem")

    @classmethod
    def other_authority(cls, ca):
        """Trusts our authority, but is of another one."""
        other = Federation(binary(), {"dc1": {"servers": servers_at(1, 1)}})
        folder = tempfile.mkdtemp(prefix="isthmus-other-")
        cls.addClassCleanup(shutil.rmtree, folder, True)
        shutil.copytree(other.tls, folder, dirs_exist_ok=True)
        other.remove()
        stem = os.path.join(folder, "dc1-server-consul-0")
        stranger = Identity(ca, f"{stem}.pem", f"{stem}-key.pem")
        stranger.own_ca = os.path.join(folder, "consul-agent-ca.pem")
        return stranger

    def tearDown(self):
        """Whatever was done to it, the agent goes on."""
        self.assertEqual(self.status_leader(), f"{self.server.place.lan}:8300")
        self.assertIs(leading([self.server]), self.server)

    def refused(self, reason):
        """The block has one connection refused for that reason."""
        return moves(self, self.server, REFUSED, reason=reason)

    def dial(self, first=b""):
        connection = dial(self.port, first)
        self.addCleanup(connection.close)
        return connection

    def dial_tls(self, identity, alpns=(), name=NAME, first=None, inner=None,
                 newest=None):
        connection = dial_tls(self.port, identity.client(alpns, newest), name,
                              first, inner)
        self.addCleanup(connection.close)
        return connection

    def caller(self, identity, alpn=ALPN_MULTI):
        return Caller(self.dial_tls(identity, [alpn]))

    def status_leader(self, caller=None):
        """Status.Leader by RPC: the leader's address."""
        caller = caller or self.caller(self.client)
        answer = caller.call("Status.Leader")
        self.assertEqual((answer.status, answer.text), (0, ""))
        return fields(answer.body).get(12, [b""])[0].decode()


def stays(connection, seconds=0.3):
    """Fails unless the connection is open and silent for that long."""
    connection.settimeout(seconds)
    try:
        said = connection.recv(4096)
    except socket.timeout:
        return
    raise AssertionError("ended" if not said else f"said {said[:80]!r}")
