"""docs/gateways.md promises that its two walks from nothing to routed traffic
run as written: here they do, but for addresses and folders.
"""
import contextlib
import os
import re
import signal
import subprocess

from lab import ROOT, Lab, Place, binary
from federation import HTTP

ADDRESS = "127.45.0.10"


def commands_of(title):
    """The indented lines of one section, as one script."""
    with open(os.path.join(ROOT, "docs", "gateways.md")) as page:
        section = re.search(rf"^### {title}\n(.*?)^##", page.read(),
                            re.M | re.S)[1]
    return "".join(line[4:] for line in section.splitlines(True)
                   if line.startswith("    "))


class Walks(Lab):
    places = {"dc1": {"servers": [Place("127.45.0.1")]}}

    def walk(self, title):
        """What the commands of that section print. They may fail: the server
        refuses openssl in the end, since it shows no certificate."""
        folder = os.path.join(self.federation.folder, "walk", title[:5])
        os.makedirs(os.path.join(folder, "bin"))
        os.symlink(binary(), os.path.join(folder, "bin", "isthmus"))
        script = commands_of(title)
        for ours, here in (("10.1.0.9", ADDRESS), ("203.0.113.7", ADDRESS),
                           ("127.0.0.1:8444", f"{ADDRESS}:8444"),
                           ("/etc/haproxy", folder), ("/etc/nginx", folder),
                           ("/run/", folder + "/")):
            script = script.replace(ours, here)
        log = os.path.join(folder, "log")
        with open(log, "w") as out:
            shell = subprocess.Popen(
                ["sh", "-x"], stdin=subprocess.PIPE, text=True, stdout=out,
                stderr=out, start_new_session=True,
                env={**os.environ, "ISTHMUS_HTTP_ADDR":
                     f"{self.federation.servers['dc1'][0].place.lan}:{HTTP}",
                     "PATH": f"{folder}/bin:" + os.environ["PATH"]})
        self.addCleanup(self.end, shell, folder)
        shell.communicate(script, timeout=60)
        with open(log, errors="replace") as out:
            said = out.read()
        self.assertEqual(0, shell.returncode, said)   # the proxy was stopped
        return said

    @staticmethod
    def end(shell, folder):
        """What a walk that did not come to its end has left."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGKILL)
        shell.wait()
        for name in ("isthmus.pid", "isthmus.conf.pid"):
            with contextlib.suppress(OSError, ValueError):
                with open(os.path.join(folder, name)) as file:
                    os.kill(int(file.read()), signal.SIGKILL)

    def check(self, said):
        for words in ("BEGIN CERTIFICATE", '"Ready": true',
                      '"server.dc1.consul"', "registered: id=mesh-gateway",
                      "gateway: deregistered"):
            self.assertIn(words, said)

    def test_haproxy(self):
        """HAProxy, from nothing to routed traffic and back"""
        self.check(self.walk("HAProxy, from nothing"))

    def test_nginx(self):
        """nginx, from nothing to routed traffic and back"""
        self.check(self.walk("nginx, from nothing"))
