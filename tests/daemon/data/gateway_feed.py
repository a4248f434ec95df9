"""The gateway as the feeder of another proxy: what it puts in place, when it
reloads, and what it does with a configuration that the proxy refuses. The
proxy's checker is a script of ours. Ends with 0 if all holds.

usage: gateway_feed.py PATH_OF_ISTHMUS
"""
import os, subprocess, sys, tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from gateway_run import Agent, free_port, gateway, server, until

# Says no to a file that has the word of the day in it.
CHECKER = """#!/bin/sh
for last; do :; done
echo checked >>"{folder}/checks"
! grep -q "$(cat "{folder}/bad")" "$last"
"""


class Bed:
    def __init__(self, binary, folder, kind):
        self.binary, self.folder, self.kind = binary, folder, kind
        self.port = free_port()
        self.agent = Agent(self.port)
        self.agent.change(servers=[server("s1", 8301)],
                          sites={"dc1": [], "dc2": [gateway(8443)]})
        self.checker = self.path("checker")
        self.write("checker", CHECKER.format(folder=folder))
        os.chmod(self.checker, 0o755)
        self.write("bad", "nothing-is-bad")

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w") as file:
            file.write(text)

    def read(self, name):
        try:
            with open(self.path(name)) as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def command(self, *more):
        return [self.binary, "gateway", f"-{self.kind}", "-expose-servers",
                "-address=127.0.0.1:9443", "-wan-address=127.0.0.1:9444",
                f"-http-addr=127.0.0.1:{self.port}", "-token=secret",
                f"-proxy-binary={self.checker}", *more]

    def reloads(self):
        return self.read("reloads").count("reload")

    def has(self, word):
        return word in self.read("config")


def once(bed):
    """Without -watch: printed, or written, and over."""
    done = subprocess.run(bed.command(), capture_output=True, text=True,
                          timeout=20)
    assert done.returncode == 0, done.stderr
    assert "127.0.0.1:8301" in done.stdout, done.stdout
    assert "dc2" in done.stdout and "stats socket" not in done.stdout
    done = subprocess.run(bed.command("-config-out", bed.path("config")),
                          capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr
    assert bed.has("127.0.0.1:8301") and bed.read("checks")
    os.unlink(bed.path("config"))


def follow(bed):
    gateway_process = subprocess.Popen(bed.command(
        "-watch", "-register", "-config-out", bed.path("config"),
        "-reload-command", f"echo reload >>'{bed.path('reloads')}'"))
    try:
        steps(bed)
    finally:
        gateway_process.terminate()
        assert gateway_process.wait(10) == 0
    assert not bed.agent.services, "it did not deregister"
    assert bed.has("127.0.0.1:8303"), "the file goes with us"


def steps(bed):
    until("a first file", lambda: bed.has("127.0.0.1:8301"))
    until("registration", lambda: bed.agent.services)
    assert bed.reloads() == 1, bed.read("reloads")

    bed.agent.change(servers=[server("s1", 8302)])
    until("a change", lambda: bed.has("127.0.0.1:8302"))
    until("a reload", lambda: bed.reloads() == 2)
    bed.agent.change()    # news, but the same routes
    checks = len(bed.read("checks"))

    bed.write("bad", "8666")
    bed.agent.change(servers=[server("s1", 8666)])
    until("a refusal", lambda: "8666" in bed.read("config.refused"))
    assert bed.has("127.0.0.1:8302"), "a refused file is in place"
    assert bed.reloads() == 2, "the proxy was told of a refused file"
    assert len(bed.read("checks")) == checks + len("checked\n")

    bed.agent.change(servers=[server("s1", 8303)])
    until("the next file", lambda: bed.has("127.0.0.1:8303"))
    until("its reload", lambda: bed.reloads() == 3)
    assert not os.path.exists(bed.path("config.refused"))
    assert not os.path.exists(bed.path("config.new"))


def main(binary):
    for kind in ("haproxy", "nginx"):
        with tempfile.TemporaryDirectory() as folder:
            bed = Bed(binary, folder, kind)
            once(bed)
            follow(bed)


if __name__ == "__main__":
    main(sys.argv[1])
