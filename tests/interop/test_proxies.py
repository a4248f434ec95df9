"""HAProxy and nginx as gateways: real ones, fed by our binary."""
import contextlib
import io
import os
import re
import socket
import subprocess
import sys
import types
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../demo"))
import demo  # noqa: E402
import federation  # noqa: E402
from federation import GATEWAY, SERVER  # noqa: E402

# Starts the proxy the first time, reloads it later; its process id, in the
# file, is the master's. It stays in our process group, to end with us.
RELOAD = """
set -e
if test -s "{pid}" && kill -0 "$(cat "{pid}")" 2>/dev/null; then
    kill -{reload} "$(cat "{pid}")"
else
    {start} </dev/null &
fi
"""


class Fed(federation.Gateway):
    """A proxy of others, with ours beside it that feeds it."""

    def command(self):
        config = os.path.join(self.folder, "config")
        command = [word for word in super().command()]
        return command + [
            f"-{self.kind}", "-watch", "-config-out", config,
            "-reload-command",
            RELOAD.format(pid=config + ".pid", reload=self.reload,
                          start=self.begin.format(config=config))]

    def log(self):
        with open(self.log_path, errors="replace") as log:
            return log.read()

    def config(self):
        with open(os.path.join(self.folder, "config")) as config:
            return config.read()


class HAProxy(Fed):
    kind, reload = "haproxy", "USR2"
    begin = "haproxy -W -p {config}.pid -f {config}"

    def ask(self, question):
        with socket.socket(socket.AF_UNIX) as link:
            link.connect(os.path.join(self.folder, "config.sock"))
            link.sendall(question.encode() + b"\n")
            with link.makefile() as answer:
                return answer.read()

    def connections_for(self, name):
        """Its workers' own count since the last reload, and the ended ones."""
        return len(re.findall(rf"name={re.escape(name)} to=(?!refused)",
                              self.log()))

    def joined_now(self):
        rows = [line.split(",") for line in
                self.ask("show stat").splitlines()]
        return {row[0]: int(row[7]) for row in rows
                if len(row) > 7 and row[1] == "BACKEND"}


class Nginx(Fed):
    kind, reload = "nginx", "HUP"
    begin = "nginx -c {config} -g 'daemon off;'"

    def connections_for(self, name):
        """Its log tells of a connection when it is joined to a target."""
        node, _, dc, _ = name.split(".")
        if dc == self.dc:
            server = next(s for s in self.federation.servers[dc]
                          if s.name == node)
            target = f"{server.place.lan}:{SERVER}"
        else:
            target = f"{self.federation.gateways[dc].place.wan}:{GATEWAY}"
        return len(re.findall(rf"connected to {re.escape(target)}\b",
                              self.log()))


class OneOfEach(federation.Federation):
    """dc1 behind HAProxy, dc2 behind the built-in one, dc3 behind nginx."""

    kinds = {"dc1": HAProxy, "dc3": Nginx}

    def _make_datacenter(self, dc):
        super()._make_datacenter(dc)
        kind = self.kinds.get(dc)
        if kind:
            old = self.gateways[dc]
            self.gateways[dc] = kind(self, old.name, dc, old.place, old.agent)


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
