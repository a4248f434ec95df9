"""The gateway as the feeder of another proxy: what it puts in place, when it
reloads, what it changes without, and what it does when something fails. The
proxy's checker is a script of ours, HAProxy's runtime socket a thread: so they
fail when they are told to. Ends with 0 if all holds.

usage: gateway_feed.py PATH_OF_ISTHMUS
"""
import os, re, socket, subprocess, sys, tempfile, threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from gateway_run import Agent, counter, free_port, gateway, server, until

# Says no to a file that has the word of the day in it.
CHECKER = """#!/bin/sh
for last; do :; done
echo checked >>"{folder}/checks"
! grep -q "$(cat "{folder}/bad")" "$last"
"""


class Runtime(threading.Thread):
    """HAProxy's runtime socket: what runs is the file as it was when the last
    reload came, and what was added and deleted since."""

    def __init__(self, bed):
        super().__init__(daemon=True)
        self.bed, self.seen = bed, 0
        self.description, self.servers = "", {}    # name: ready
        self.busy = set()       # they have connections: not to be deleted
        self.deaf = False       # takes no commands
        self.stuck = False      # does not reload
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(bed.path("config.sock"))
        self.socket.listen()
        self.start()

    def reload(self):
        text = self.bed.read("config")
        self.seen = self.bed.reloads()
        self.description = re.search("description (.*)", text)[1]
        self.servers, backend = {}, None
        for line in text.splitlines():
            words = line.split()
            if words[:1] == ["backend"]:
                backend = words[1]
            elif words[:1] == ["server"]:
                self.servers[f"{backend}/{words[1]}"] = True

    def command(self, words):
        name = words[2]
        if self.deaf:
            return
        if words[0] == "add":
            self.servers.setdefault(name, False)
        elif words[0] in ("enable", "disable"):
            self.servers[name] = words[0] == "enable"
        elif words[0] == "del" and name not in self.busy:
            assert not self.servers.pop(name), f"{name} is in use"

    def state(self):
        rows = [f"3 {name.split('/')[0]} 1 {name.split('/')[1]} 127.0.0.1 2 "
                f"{0 if ready else 1} 1 1" for name, ready in
                self.servers.items()]
        return "\n".join(["Name: HAProxy", "description: " + self.description,
                          "", "1", "# be_id be_name", *rows, "", ""])

    def run(self):
        while True:
            link = self.socket.accept()[0]
            if self.bed.reloads() > self.seen and not self.stuck:
                self.reload()
            line = link.makefile().readline().strip()
            if line.startswith("show"):
                link.sendall(self.state().encode())
            else:
                for command in line.split(";"):
                    self.command(command.split())
            link.close()


class Bed:
    def __init__(self, binary, folder, kind):
        self.binary, self.folder, self.kind = binary, folder, kind
        self.port, self.admin = free_port(), free_port()
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

    def published(self, result):
        return counter(self.admin, "isthmus.gateway.published", result)

    def ended_well(self):
        return self.published("placed") + self.published("changed")

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
        f"-admin-addr=127.0.0.1:{bed.admin}",
        "-reload-command", f"echo reload >>'{bed.path('reloads')}'"),
        stderr=subprocess.PIPE, text=True)
    log = []
    reader = threading.Thread(target=lambda: log.extend(gateway_process.stderr))
    reader.start()
    try:
        steps(bed)
        meta(bed)
        if bed.kind == "haproxy":
            changes(bed)
        failures(bed)
    except BaseException:
        gateway_process.kill()
        reader.join()
        sys.stderr.write("".join(log))
        raise
    gateway_process.terminate()
    assert gateway_process.wait(10) == 0
    assert not bed.agent.services, "it did not deregister"
    assert bed.has("127.0.0.1:8303"), "the file goes with us"
    reader.join()
    assert "with -proxy-binary" in "".join(log)


def steps(bed):
    if bed.kind == "haproxy":
        bed.runtime = Runtime(bed)
    until("a first file", lambda: bed.has("127.0.0.1:8301"))
    until("registration", lambda: bed.agent.services)
    assert bed.reloads() == 1, bed.read("reloads")
    # Nobody listens: that is what its check says.
    assert bed.agent.status() == "critical"

    bed.agent.change(servers=[server("s2", 8302)])
    until("a change", lambda: bed.has("127.0.0.1:8302"))
    until("a reload", lambda: bed.reloads() == 2)
    until("its end", lambda: bed.published("placed") == 2)
    bed.agent.change()    # news, but the same routes
    checks = len(bed.read("checks"))

    bed.write("bad", "8666")
    bed.agent.change(servers=[server("s2", 8666)])
    until("a refusal", lambda: "8666" in bed.read("config.refused"))
    assert bed.has("127.0.0.1:8302"), "a refused file is in place"
    assert bed.reloads() == 2, "the proxy was told of a refused file"
    assert len(bed.read("checks")) == checks + len("checked\n")

    bed.agent.change(servers=[server("s3", 8303)])
    until("the next file", lambda: bed.has("127.0.0.1:8303"))
    until("its reload", lambda: bed.reloads() == 3)
    assert not os.path.exists(bed.path("config.refused"))
    assert not os.path.exists(bed.path("config.new"))
    until("its end", lambda: bed.published("placed") == 3)


def meta(bed):
    """Of its own service, while it runs: no row without it."""
    bed.agent.set_meta({})
    until("no rows", lambda: not bed.has("server.dc"))
    until("a reload", lambda: bed.reloads() == 4)
    bed.agent.set_meta({"consul-wan-federation": "1"})
    until("its rows again", lambda: bed.has("s3.server.dc1.example.org") and
          bed.has("server.dc2.example.org"))
    until("a reload", lambda: bed.reloads() == 5)
    until("its end", lambda: bed.published("placed") == 5)


def names(*ports):
    return {f"{backend}/127.0.0.1:{port}" for port in ports
            for backend in ("s3.server.dc1.example.org",
                            "server.dc1.example.org")}


def ready(bed):
    return {name for name, on in bed.runtime.servers.items()
            if on and ".dc1." in name}


def changes(bed):
    """Within a backend: by the runtime socket, with no reload."""
    runtime = bed.runtime
    runtime.busy = names(8303)
    bed.agent.change(servers=[server("s3", 8304)])
    until("a change without a reload", lambda: bed.published("changed") == 1)
    assert ready(bed) == names(8304), runtime.servers
    assert bed.has("127.0.0.1:8304") and not bed.has("127.0.0.1:8303")
    assert names(8303) < set(runtime.servers), "busy ones are in maintenance"
    bed.agent.change(servers=[server("s3", 8303)])
    until("one that was there comes back", lambda: ready(bed) == names(8303))
    until("its end", lambda: bed.published("changed") == 2)
    assert bed.reloads() == 5, "a reload"

    # What it does not take brings a reload, and is counted.
    runtime.deaf = True
    bed.agent.change(servers=[server("s3", 8305)])
    until("a reload after all", lambda: bed.reloads() == 6)
    until("its end", lambda: bed.published("placed") == 6)
    assert ready(bed) == names(8305)
    assert bed.published("not_changed") == 1
    runtime.deaf = False


def failures(bed):
    ended, runtime = bed.ended_well(), getattr(bed, "runtime", None)
    # The proxy is not there: nothing is put in place, and it is tried again.
    os.rename(bed.checker, bed.checker + ".away")
    bed.agent.change(servers=[server("s4", 8306)])
    until("no checker", lambda: bed.published("no_checker") == 1)
    assert not bed.has("127.0.0.1:8306")
    os.rename(bed.checker + ".away", bed.checker)
    if runtime:
        runtime.stuck = True    # from now on a reload has no effect
        until("the loss seen", lambda: bed.published("reload_failed") == 1)
        runtime.stuck = False
    until("the next try", lambda: bed.ended_well() == ended + 1)
    assert bed.has("127.0.0.1:8306")
    # The folder is gone for a while.
    folder = bed.path("")
    os.rename(folder, folder[:-1] + ".away")
    bed.agent.change(servers=[server("s4", 8303)])
    until("it cannot write", lambda: bed.published("cannot_write") == 1)
    os.rename(folder[:-1] + ".away", folder)
    until("it can again", lambda: bed.has("127.0.0.1:8303"))


def main(binary):
    for kind in ("haproxy", "nginx"):
        with tempfile.TemporaryDirectory() as folder:
            bed = Bed(binary, folder, kind)
            once(bed)
            follow(bed)


if __name__ == "__main__":
    main(sys.argv[1])
