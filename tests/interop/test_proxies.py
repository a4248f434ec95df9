"""HAProxy and nginx as gateways: real ones, fed by our binary."""
import contextlib
import io
import os
import socket
import subprocess
import types
import unittest

from lab import GATEWAY  # first: it knows where the demo is
import demo
from proxies_lab import Fed, OneOfEach


class Proxies(unittest.TestCase):
    def setUp(self):
        self.federation = OneOfEach(os.environ["ISTHMUS"],
                                    demo.loopback_places())
        self.addCleanup(self.federation.remove)
        self.addCleanup(self.federation.stop)

    def show(self):
        """The demo as it is; its lines only if it fails."""
        lines = io.StringIO()
        try:
            with contextlib.redirect_stdout(lines):
                demo.show(self.federation, demo.Steps(),
                          types.SimpleNamespace(keep=False))
        except Exception as failure:
            logs = "\n".join(
                f"--- {gateway.dc}\n{gateway.log()[-3000:]}"
                for gateway in self.federation.gateways.values()
                if isinstance(gateway, Fed))
            self.fail(f"{failure}\n{lines.getvalue()}{logs}")

    def greet(self, gateway, first):
        """What the gateway answers to bytes that are no TLS."""
        with socket.create_connection((gateway.place.wan, GATEWAY), 10,
                                      (gateway.place.lan, 0)) as link:
            with contextlib.suppress(OSError):
                link.sendall(first)
                return link.recv(100)
        return b""

    def certificate(self, gateway, name):
        """Whether a server showed its certificate under that name."""
        answer = subprocess.run(
            ["openssl", "s_client", "-alpn", "consul/wan-gossip/packet", "-connect",
             f"{gateway.place.wan}:{GATEWAY}", "-servername", name],
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=20)
        return "BEGIN CERTIFICATE" in answer.stdout

    def check_refusals(self, gateway):
        dc = gateway.dc
        self.assertEqual(b"", self.greet(gateway, b"GET / HTTP/1.0\r\n\r\n"))
        for name in ("example.com", f"nobody.server.{dc}.consul",
                     f"x.server1.server.{dc}.consul",
                     "a.b.server.dc2.consul"):
            self.assertFalse(self.certificate(gateway, name), name)
        for name in (f"SERVER1.server.{dc}.consul", f"server.{dc}.consul",
                     "server1.server.dc2.consul"):
            self.assertTrue(self.certificate(gateway, name), name)

    def test_the_demo(self):
        """every step of the demo, with HAProxy, the built-in one and nginx"""
        self.show()
        for dc in ("dc1", "dc3"):
            gateway = self.federation.gateways[dc]
            with self.subTest(dc):
                self.assertNotIn("was refused", gateway.log())
                self.check_refusals(gateway)
        self.assertGreater(sum(
            self.federation.gateways["dc1"].joined_now().values()), 0)


if __name__ == "__main__":
    unittest.main()
