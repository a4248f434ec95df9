"""What an agent refuses at its start: exit code 1, nothing on standard output,
and one message on standard error that names the key, the flag or the file.
"""
import json
import os
import shutil
import socket
import subprocess
import unittest

from lab import Federation, binary, servers_at

NETWORK = 24
NOBODY = 65534
ABSENT = object()


class BadInput(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        places = {dc: {"servers": servers_at(NETWORK + n, 1)}
                  for n, dc in enumerate(("dc1", "dc2"))}
        places["dc1"]["gateway"] = places["dc1"]["servers"][0]
        cls.federation = Federation(binary(), places)
        cls.addClassCleanup(cls.federation.remove)
        cls.tls = cls.federation.tls
        cls.good, cls.secondary = [
            cls.load(cls.federation.servers[dc][0].config_path)
            for dc in ("dc1", "dc2")]

    @staticmethod
    def load(path):
        with open(path) as file:
            return json.load(file)

    def setUp(self):
        self.folder = os.path.join(self.federation.folder, self.id())
        os.makedirs(self.folder)

    def make_certificate(self, *flags):
        """A further certificate of the same authority: (file, key)."""
        before = set(os.listdir(self.tls))
        self.federation.run("tls", "cert", "create", *flags)
        new = sorted(set(os.listdir(self.tls)) - before, key=len)
        return [os.path.join(self.tls, name) for name in new]

    def write(self, text):
        path = os.path.join(self.folder, "agent.json")
        with open(path, "w") as file:
            file.write(text)
        return path

    def config(self, base=None, **changes):
        config = dict(base or self.good, data_dir=self.folder + "/data",
                      **changes)
        return self.write(json.dumps(
            {key: value for key, value in config.items()
             if value is not ABSENT}))

    def agent(self, path, *flags, code=1, **more):
        """Its words on standard error; fails unless it ends so, at once."""
        done = subprocess.run(
            [more.pop("binary", binary()), "agent", "-config-file", path,
             *flags], capture_output=True, text=True, timeout=15, **more)
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertNotIn("assert", done.stderr.lower())
        return done.stderr

    def refused(self, *words, base=None, validate=True, **changes):
        """Refused with all these words; `isthmus validate` says the same."""
        path = self.config(base, **changes)
        said = self.agent(path)
        for word in words:
            self.assertIn(word, said)
        if validate:
            done = subprocess.run([binary(), "validate", path],
                                  capture_output=True, text=True, timeout=15)
            self.assertEqual(done.returncode, 1)
            for word in words:
                self.assertIn(word, done.stderr)

    def test_01_good(self):
        """the configuration that the others spoil is valid"""
        for base in (self.good, self.secondary):
            done = subprocess.run([binary(), "validate", self.config(base)],
                                  capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_02_unknown_key(self):
        """an unknown key, at the top and inside an object, is named with its
        file"""
        self.refused("datacentre", "agent.json", "unknown key",
                     datacentre="dc1")
        self.refused("connect.enable_gateways", "unknown key",
                     connect={"enable_gateways": True})

    def test_03_wrong_type(self):
        """values of another type are named, with what was wanted"""
        for key, value in (("server", "yes"), ("node_name", 7),
                           ("bootstrap_expect", "3"), ("retry_join", "a"),
                           ("ports", []), ("retry_join", [1]),
                           ("encrypt", True), ("bootstrap_expect", 1.5)):
            with self.subTest(key=key, value=value):
                self.refused(key, "wanted", **{key: value})
        self.refused("ports.http", "wanted", ports={"http": "8500"})

    def test_04_broken_files(self):
        """broken JSON, an empty file, a key given twice, no file: the file is
        named"""
        for text in ("{", "", "[]", "{\"server\": true,}",
                     "{\"server\": true, \"server\": false}", "\0\xff{"):
            with self.subTest(text=text):
                self.assertIn("agent.json", self.agent(self.write(text)))
        self.assertIn("nowhere.json",
                      self.agent(self.folder + "/nowhere.json"))

    def test_05_node_name(self):
        """a node name with a dot, and with federation one of other letters,
        is refused"""
        for name in ("a.b", ".", "a_b", "Server", "-a", "a-", "x" * 64, "ä"):
            with self.subTest(name=name):
                self.refused("node_name", node_name=name)
        self.refused("datacenter", datacenter="dc.1")

    def test_06_federation_without_tls(self):
        """federation without a complete mutual TLS setup is refused; the
        missing key is named"""
        for key in ("ca_file", "cert_file", "key_file", "verify_incoming",
                    "verify_outgoing"):
            with self.subTest(key=key):
                changes = {key: ABSENT}
                if key == "verify_outgoing":
                    changes["verify_server_hostname"] = ABSENT
                self.refused(key, **changes)
        self.refused("connect.enable_mesh_gateway_wan_federation", **{
            key: ABSENT for key in (
                "ca_file", "cert_file", "key_file", "verify_incoming",
                "verify_outgoing", "verify_server_hostname")})

    def test_07_federation_without_server(self):
        """federation on a client agent is refused"""
        self.refused("connect.enable_mesh_gateway_wan_federation", "server",
                     server=False, bootstrap_expect=ABSENT)

    def test_08_primary_gateways(self):
        """primary_gateways in the primary, and without federation, are
        refused; a secondary's first start without them too"""
        self.refused("primary_gateways", "primary_datacenter",
                     primary_gateways=["192.0.2.1:8443"])
        self.refused("primary_gateways", base=self.secondary, connect=ABSENT)
        self.refused("primary_gateways", base=self.secondary, validate=False,
                     primary_gateways=ABSENT)

    def test_09_wan_join(self):
        """start_join_wan and retry_join_wan exclude federation"""
        for key in ("start_join_wan", "retry_join_wan"):
            self.refused(key, **{key: ["192.0.2.1"]})

    def test_10_key_of_another(self):
        """a certificate that does not match its key is refused; both files
        are named"""
        _, key = self.make_certificate("-server", "-node", "other")
        self.refused("key_file", key, key_file=key)

    def test_11_certificate_names(self):
        """a certificate without the needed server name is refused; the name
        is given"""
        for flags, name in (
                (("-server", "-node", "other"), "server1.server.dc1.consul"),
                (("-server",), "server1.server.dc1.consul"),
                (("-client",), "server.dc1.consul"),
                (("-server", "-dc", "dc2", "-node", "server1"),
                 "server.dc1.consul")):
            with self.subTest(flags=flags):
                certificate, key = self.make_certificate(*flags)
                self.refused("cert_file", name, cert_file=certificate,
                             key_file=key)

    def test_12_other_authority(self):
        """a certificate of another authority is refused"""
        other = Federation(binary(), {"dc1": {
            "servers": servers_at(NETWORK, 1)}})
        self.addCleanup(other.remove)
        config = self.load(other.servers["dc1"][0].config_path)
        self.refused("cert_file", cert_file=config["cert_file"],
                     key_file=config["key_file"])

    def test_13_files(self):
        """TLS files that are missing, or are no PEM, are named with their
        key"""
        junk = os.path.join(self.folder, "junk.pem")
        with open(junk, "w") as file:
            file.write("no certificate")
        for key in ("ca_file", "cert_file", "key_file"):
            for path in ("/nowhere.pem", junk):
                with self.subTest(key=key, path=path):
                    self.refused(key, path, **{key: path})

    def test_14_gossip_key(self):
        """a gossip key that is no base64, or of 15 bytes, is refused without
        being shown"""
        for key in ("not base64!", "MDEyMzQ1Njc4OWFiY2Rl"):
            path = self.config(encrypt=key)
            said = self.agent(path)
            self.assertIn("encrypt", said)
            self.assertNotIn(key, said)

    def test_15_port_in_use(self):
        """a port in use, TCP or UDP, is named with its address"""
        host = self.good["bind_addr"]
        for port, kind in ((8300, socket.SOCK_STREAM),
                           (8301, socket.SOCK_STREAM),
                           (8301, socket.SOCK_DGRAM),
                           (8302, socket.SOCK_STREAM),
                           (8302, socket.SOCK_DGRAM),
                           (8500, socket.SOCK_STREAM)):
            with self.subTest(port=port, kind=kind), \
                    socket.socket(socket.AF_INET, kind) as taken:
                taken.bind((host, port))
                if kind == socket.SOCK_STREAM:
                    taken.listen()
                self.refused(f"{host}:{port}", "in use", validate=False)

    def test_16_address_of_another_host(self):
        """bind_addr that this host does not have is named"""
        self.refused("198.51.100.77", validate=False,
                     bind_addr="198.51.100.77")

    def test_17_data_folder(self):
        """a data folder that is a file, or cannot be made, is named"""
        blocked = os.path.join(self.folder, "file")
        with open(blocked, "w"):
            pass
        for path in (blocked, blocked + "/data", "/proc/isthmus"):
            with self.subTest(path=path):
                config = dict(self.good, data_dir=path)
                said = self.agent(self.write(json.dumps(config)))
                self.assertIn("data_dir", said)
                self.assertIn(path, said)

    @unittest.skipUnless(os.geteuid() == 0, "needs root to become another")
    def test_18_data_folder_of_another(self):
        """a data folder of another user, which may be read but not written,
        is named"""
        folder = self.federation.folder
        for where, _, names in os.walk(folder):
            os.chmod(where, 0o755)
            for name in names:
                os.chmod(os.path.join(where, name), 0o644)
        program = shutil.copy(binary(), folder)
        os.chmod(program, 0o755)
        data = os.path.join(self.folder, "data")
        os.makedirs(data)
        said = self.agent(self.config(), binary=program, user=NOBODY,
                          group=NOBODY, extra_groups=[])
        self.assertIn("data_dir", said)
        self.assertIn(data, said)

    def test_19_flags(self):
        """flags: an unknown one is wrong usage (2), a wrong value is refused
        and named"""
        path = self.config()
        self.assertIn("-no-such-flag",
                      self.agent(path, "-no-such-flag", code=2))
        done = subprocess.run(
            [binary(), "agent", "-config-file", path, "-node=a.b"],
            capture_output=True, text=True, timeout=15)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("node", done.stderr)

    def test_20_second_agent(self):
        """two agents on one data folder: the second is refused"""
        server = self.federation.servers["dc1"][0]
        server.start()
        self.addCleanup(server.stop)
        self.federation.wait("it to lead",
                             lambda: server.get("/v1/status/leader"))
        config = self.load(server.config_path)
        config.update(bind_addr=f"127.{NETWORK}.0.9",
                      client_addr=f"127.{NETWORK}.0.9", retry_join=[])
        said = self.agent(self.write(json.dumps(config)))
        self.assertIn(config["data_dir"], said)
        self.assertIn("another process", said)
        self.assertTrue(server.running())
