"""What the gossip interop tests share: a real `serf agent` and our gossip-peer
(libgossip alone) under one set of calls, so that a test can put either in
either place, and a base class that ends what it started.
"""
import ctypes
import json
import os
import queue
import shutil
import signal
import subprocess
import tempfile
import threading
import unittest

from lab import Failure, binary, wait

_libc = ctypes.CDLL(None)


def _die_with_parent():
    _libc.prctl(1, signal.SIGKILL, 0, 0, 0)


class Node:
    """A process with a name and an address in a gossip pool."""

    def __init__(self, name, ip, folder, port=7946):
        self.name, self.ip, self.port = name, ip, port
        self.bind = f"{ip}:{port}"
        self.folder = folder
        self.log = os.path.join(folder, f"{name}-{ip}.log")
        self.process = None

    def _spawn(self, command, **pipes):
        log = open(self.log, "ab")
        with log:
            pipes.setdefault("stdout", log)
            self.process = subprocess.Popen(
                command, stderr=log, start_new_session=True,
                preexec_fn=_die_with_parent, **pipes)

    def running(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        os.killpg(self.process.pid, number)

    def kill(self):
        if self.running():
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGKILL)
            self.process.wait()

    def said(self, text):
        """How often its log has this text."""
        with open(self.log, errors="replace") as log:
            return log.read().count(text)

    def status_of(self, name):
        return self.members().get(name, {}).get("status")

    def sees(self, name, status, timeout=30):
        wait(f"{self.name} to say that {name} is {status}",
             lambda: self.status_of(name) == status, timeout)


class Serf(Node):
    """One `serf agent` process and the command that asks it."""

    def __init__(self, name, ip, folder, port=7946):
        super().__init__(name, ip, folder, port)
        self.rpc = f"{ip}:7373"
        self.events = os.path.join(folder, f"{name}.events")

    def start(self, *flags, key=None, tags=None, answers=None, **settings):
        """settings go into a configuration file, as they are."""
        config = os.path.join(self.folder, f"{self.name}-{self.ip}.json")
        with open(config, "w") as file:
            json.dump(settings, file)
        flags = [*flags, f"-config-file={config}"]
        if key:
            flags.append(f"-encrypt={key}")
        for tag, value in (tags or {}).items():
            flags.append(f"-tag={tag}={value}")
        for query, script in (answers or {}).items():
            flags.append(f"-event-handler=query:{query}={script}")
        flags.append("-event-handler=user=printf '%s %s\\n' "
                     f"\"$SERF_USER_EVENT\" \"$(cat)\" >> {self.events}")
        self._spawn(["serf", "agent", f"-node={self.name}",
                     f"-bind={self.bind}", f"-rpc-addr={self.rpc}",
                     "-log-level=debug", *flags])
        wait(f"{self.name} to answer", self._answers)
        return self

    def _answers(self):
        if not self.running():
            with open(self.log, errors="replace") as log:
                raise Failure(f"{self.name} ended: {log.read()[-300:]}")
        return self.ask("info") is not None

    def command(self, *words):
        return subprocess.run(
            ["serf", words[0], f"-rpc-addr={self.rpc}", *words[1:]],
            capture_output=True, text=True, timeout=60)

    def ask(self, *words):
        """Output of a command, or None if it failed."""
        done = self.command(*words)
        return done.stdout if done.returncode == 0 else None

    def members(self):
        text = self.ask("members", "-format=json")
        listed = json.loads(text)["members"] if text else []
        return {member["name"]: member for member in listed or []}

    def join(self, *others, ignore_old=True):
        """How many it reached."""
        flags = [] if ignore_old else ["-replay"]
        done = self.command("join", *flags, *(o.bind for o in others))
        return len(others) if done.returncode == 0 else 0

    def leave(self):
        self.command("leave")
        self.process.wait(20)

    def force_leave(self, name, prune=False):
        self.command("force-leave", *(["-prune"] if prune else []), name)

    def event(self, name, payload="", coalesce=False):
        done = self.command("event", f"-coalesce={str(coalesce).lower()}",
                            name, payload)
        if done.returncode:
            raise Failure(done.stdout + done.stderr)

    def heard(self, name):
        """The payloads of all user events of that name, in order."""
        if not os.path.exists(self.events):
            return []
        with open(self.events) as file:
            lines = [line.rstrip("\n").split(" ", 1) for line in file]
        return [line[1] for line in lines if line[0] == name]

    def query(self, name, payload="", nodes=(), tags=None, acks=True, relay=0,
              timeout_ms=1000):
        """(who acknowledged, {who: its answer})."""
        words = ["query", "-format=json", f"-timeout={timeout_ms}ms",
                 f"-relay-factor={relay}"]
        words += [f"-node={node}" for node in nodes]
        words += [f"-tag={tag}={value}" for tag, value in (tags or {}).items()]
        if not acks:
            words.append("-no-ack")
        text = self.ask(*words, name, payload)
        if text is None:
            raise Failure(f"query {name} of {self.name} failed")
        said = json.loads(text)
        return sorted(said["Acks"] or []), said["Responses"] or {}

    def rtt(self, name):
        """Does it have an estimate for the way there?"""
        return self.ask("rtt", self.name, name) is not None

    def set_tags(self, **tags):
        if self.ask("tags", *[f"-set={k}={v}" for k, v in tags.items()]) \
                is None:
            raise Failure("serf tags failed")

    def key(self, operation, key=None):
        """(did all agree, output)."""
        flag = f"-{operation}={key}" if key else f"-{operation}"
        done = self.command("keys", flag)
        return done.returncode == 0, done.stdout + done.stderr


class Peer(Node):
    """One gossip-peer process: see gossip_peer.h."""

    program = "gossip-peer"

    def __init__(self, name, ip, folder, port=7946):
        super().__init__(name, ip, folder, port)
        self.events, self.replies = [], {}
        self.number = 0

    def start(self, key=None, **settings):
        settings.update(name=self.name, bind=self.bind)
        if key:
            settings["keys"] = [key] if isinstance(key, str) else key
        self.events, self.ready = [], queue.Queue()
        self._spawn([os.path.join(os.path.dirname(binary()), self.program),
                     json.dumps(settings)],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self._read, args=(self.process.stdout,),
                         daemon=True).start()
        if self.ready.get(timeout=15) is None:
            raise Failure(f"{self.name} did not start; see {self.log}")
        return self

    def _read(self, output):
        ready = self.ready
        for line in output:
            said = json.loads(line)
            if "id" in said:
                self.replies[said["id"]].put(said)
            elif said["event"] == "ready":
                ready.put(True)
            else:
                self.events.append(said)
        ready.put(None)

    def begin(self, what, **more):
        """Tells it to do something; the answer will be in a queue."""
        self.number += 1
        reply = self.replies[self.number] = queue.Queue()
        self.process.stdin.write(
            json.dumps({"id": self.number, "do": what, **more}) + "\n")
        self.process.stdin.flush()
        return reply

    def do(self, what, **more):
        """The answer; a failure is in "error"."""
        try:
            return self.begin(what, **more).get(timeout=30)
        except (queue.Empty, BrokenPipeError):
            raise Failure(f"{self.name} does not answer {what}") from None

    def done(self, what, **more):
        said = self.do(what, **more)
        if "error" in said:
            raise Failure(f"{self.name}: {what}: {said['error']}")
        return said

    def members(self):
        return self.do("members")["members"]

    def nodes(self):
        """memberlist's own view: {name: {state, incarnation}}."""
        return self.do("nodes")["nodes"]

    def counter(self, name):
        return self.do("counters")["counters"].get(name, 0)

    def join(self, *others, ignore_old=True):
        return self.do("join", targets=[o.bind for o in others],
                       ignore_old=ignore_old).get("joined", 0)

    def leave(self):
        self.done("leave")
        self.kill()

    def force_leave(self, name, prune=False):
        self.done("force-leave", name=name, prune=prune)

    def event(self, name, payload="", coalesce=False):
        self.done("event", name=name, payload=payload, coalesce=coalesce)

    def heard(self, name):
        return [event["payload"] for event in list(self.events)
                if event["event"] == "user" and event["name"] == name]

    def query(self, name, payload="", nodes=(), tags=None, acks=True, relay=0,
              timeout_ms=1000):
        said = self.done("query", name=name, payload=payload,
                         nodes=list(nodes), tags=tags or {}, acks=acks,
                         relay=relay, timeout_ms=timeout_ms)
        return sorted(said["acks"]), dict(said["responses"])

    def rtt(self, name):
        return self.do("rtt", a=self.name, b=name)["rtt_ns"] > 0

    def set_tags(self, **tags):
        self.done("tags", tags=tags)

    def key(self, operation, key=None):
        said = self.do("key", operation=operation, key=key)
        return "error" not in said, json.dumps(said)

    def lose(self, *what):
        self.done("lose", kinds=list(what))


class Pool(unittest.TestCase):
    """Nodes on 127.NETWORK.x.y that end with their test. Numbers in the names
    of tests are those of the specification's list of checks."""

    NETWORK = 0
    hosts = 0

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="isthmus-gossip-")
        if not os.environ.get("KEEP"):
            self.addCleanup(shutil.rmtree, self.folder, True)

    def ip(self):
        """One that no test of this class has used."""
        type(self).hosts += 1
        return f"127.{self.NETWORK}.{1 + self.hosts // 250}." \
               f"{1 + self.hosts % 250}"

    def node(self, kind, name, ip=None):
        node = kind(name, ip or self.ip(), self.folder)
        self.addCleanup(node.kill)
        return node

    def serf(self, name, *flags, **settings):
        return self.node(Serf, name).start(*flags, **settings)

    def ours(self, name, **settings):
        return self.node(Peer, name).start(**settings)

    def pair(self, order, **settings):
        """(serf, ours); the second of order joins the first."""
        serf = self.serf("serf", **settings)
        ours = self.ours("ours", **settings)
        first, second = (serf, ours) if order == "serf first" else (ours, serf)
        self.assertEqual(second.join(first), 1, "joins")
        self.agree(serf, ours)
        return serf, ours

    def both_orders(self):
        """Runs the body with serf first, and with ours first."""
        for order in ("serf first", "ours first"):
            with self.subTest(order=order):
                yield order

    def answers(self, node, name, want, **more):
        """A query brings just this. It is gossip, so it may miss a node: a
        few tries are free."""
        for _ in range(4):
            got = node.query(name, **more)
            if got == want:
                return
        self.assertEqual(got, want, f"{name} asked by {node.name}")

    @staticmethod
    def forget(*nodes):
        """What agents heard, which one of the same name may not inherit."""
        for node in nodes:
            if isinstance(node, Serf) and os.path.exists(node.events):
                os.remove(node.events)

    def agree(self, *nodes, gone=(), timeout=30):
        """All list all as alive, with the same addresses and tags."""
        def view(node):
            return {name: (m["addr"], m["tags"])
                    for name, m in node.members().items()
                    if m["status"] == "alive"}

        def same():
            views = [view(node) for node in nodes]
            return (set(views[0]) == {node.name for node in nodes}
                    and all(other == views[0] for other in views[1:]))
        try:
            wait("the same members everywhere", same, timeout)
        except Failure:
            raise Failure("views differ: " + "; ".join(
                f"{node.name}: {node.members()}" for node in nodes)) from None


def keygen(size=32):
    """A random key of 16, 24 or 32 bytes, in base64."""
    import base64
    return base64.b64encode(os.urandom(size)).decode()
