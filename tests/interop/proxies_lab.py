"""Gateways that are HAProxy and nginx, fed by our binary, for any federation of
demo/federation.py.
"""
import contextlib
import os
import re
import socket

from lab import GATEWAY, SERVER
from federation import Federation, Gateway

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


class Fed(Gateway):
    """A proxy of others, with ours beside it that feeds it."""

    def command(self):
        config = os.path.join(self.folder, "config")
        command = [word for word in super().command()]
        return command + [
            f"-{self.kind}", "-watch", "-config-out", config,
            "-reload-command",
            RELOAD.format(pid=config + ".pid", reload=self.reload,
                          start=self.begin.format(config=config))]

    def kill(self):
        """The proxy too; and nobody takes its number for a live one."""
        super().kill()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(self.folder, "config.pid"))

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


class BuiltIn(Gateway):
    kind = "built-in"


class OneOfEach(Federation):
    """dc1 behind HAProxy, dc2 behind the built-in one, dc3 behind nginx."""

    kinds = {"dc1": HAProxy, "dc2": BuiltIn, "dc3": Nginx}

    def __init__(self, *args):
        self.further = []       # gateways beside the first of each datacenter
        super().__init__(*args)

    def _make_datacenter(self, dc):
        super()._make_datacenter(dc)
        old = self.gateways[dc]
        self.gateways[dc] = self.kinds[dc](self, old.name, dc, old.place,
                                           old.agent)

    def nodes(self):
        return super().nodes() + self.further
