"""Three datacenters on one machine: makes, starts, asks and stops their agents.

Used by the demo on loopback addresses and by the network-namespace test, which
only differ in where a process runs and which addresses it has: see Place.
"""
import contextlib
import ctypes
import http.client
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

SERVER, HTTP, ADMIN, GATEWAY = 8300, 8500, 8444, 8443
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def _die_with_parent():
    """No process outlives us, not even if we are killed with -9."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


class Failure(Exception):
    """A step of the demo did not come true."""


def at(address, port):
    """"10.0.0.1:80", "[fd00::1]:80"."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


class Place:
    """Where a node lives: its addresses, and how a command is run there."""

    def __init__(self, lan, wan=None, prefix=()):
        self.lan, self.wan, self.prefix = lan, wan or lan, list(prefix)

    def http(self, method, path, body=None, port=HTTP, timeout=10):
        """(status, headers, body) of a request to this node, from this node:
        whoever asks shall not look like a packet between datacenters."""
        connection = http.client.HTTPConnection(
            self.lan, port, timeout=timeout, source_address=(self.lan, 0))
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()


class Node:
    """One process, an agent or a gateway, and its folder."""

    def __init__(self, federation, name, dc, place):
        self.federation, self.name, self.dc = federation, name, dc
        self.place = place
        self.folder = os.path.join(federation.folder, dc, name)
        self.process = None
        self.may_end = False
        self.refusal = None
        os.makedirs(self.folder, exist_ok=True)

    @property
    def log_path(self):
        return os.path.join(self.folder, "log")

    def start(self):
        self.may_end = False
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.place.prefix + self.command(), stdout=log, stderr=log,
                start_new_session=True, preexec_fn=_die_with_parent)

    def running(self):
        return self.process is not None and self.process.poll() is None

    def collapse(self):
        """A sentence if it ended and nobody here wanted that, or cannot go on
        for a reason from outside."""
        if not os.path.isdir(self.folder):
            return (f"{self.folder}, the folder of {self.name} of {self.dc}, "
                    "was deleted by somebody else")
        if not self.process or self.running() or self.may_end:
            return None
        with open(self.log_path, errors="replace") as log:
            last = (log.read().splitlines() or ["(no log)"])[-1]
        return (f"{self.name} of {self.dc} ended with "
                f"{self.process.returncode}: {last}")

    def signal(self, number):
        """To the whole session: a prefix may have put a process around it."""
        if self.running():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)

    def kill(self):
        self.may_end = True
        self.signal(signal.SIGKILL)
        self.process.wait()

    def terminate(self):
        self.may_end = True
        self.signal(signal.SIGTERM)

    def finish(self, timeout=10):
        """The exit code, or None if it had to be killed."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            return None

    def stop(self):
        self.terminate()
        return self.finish()

    def get(self, path, port=HTTP, timeout=10):
        """The JSON at a path, or None while it cannot be had."""
        try:
            status, _, body = self.place.http("GET", path, port=port,
                                              timeout=timeout)
        except (OSError, http.client.HTTPException):
            return None
        if status != 200:
            return None
        try:
            return json.loads(body)
        except ValueError:
            return None

    def put(self, path, value=None, timeout=10):
        """True if the agent took it; else self.refusal says why."""
        body = None if value is None else json.dumps(value)
        try:
            status, _, text = self.place.http("PUT", path, body,
                                              timeout=timeout)
        except (OSError, http.client.HTTPException) as error:
            self.refusal = f"{self.name} of {self.dc}: {error}"
            return False
        self.refusal = None if status == 200 else (
            f"{self.name} of {self.dc}: {status} "
            f"{text.decode(errors='replace').strip()}")
        return status == 200


class Server(Node):
    def __init__(self, federation, name, dc, place, config):
        super().__init__(federation, name, dc, place)
        path = os.path.join(self.folder, "agent.json")
        with open(path, "w") as file:
            json.dump(config, file, indent=2)
        self.config_path = path

    def command(self):
        return [self.federation.binary, "agent", "-config-file",
                self.config_path]


class Gateway(Node):
    def __init__(self, federation, name, dc, place, agent):
        super().__init__(federation, name, dc, place)
        self.agent = agent

    def command(self):
        return [self.federation.binary, "gateway", "-register",
                "-expose-servers", "-service-id", self.name,
                "-http-addr", at(self.agent.place.lan, HTTP),
                "-address", at(self.place.lan, GATEWAY),
                "-wan-address", at(self.place.wan, GATEWAY),
                "-wan-bind", at(self.place.wan, GATEWAY),
                "-admin-addr", at(self.place.lan, ADMIN)]

    def connections_for(self, name):
        """Connections that this gateway has joined for a server name."""
        metrics = self.get("/metrics", port=ADMIN) or {}
        return sum(counter["Count"] for counter in metrics.get("Counters", [])
                   if counter["Name"] == "isthmus.gateway.connections"
                   and counter.get("Labels", {}).get("sni") == name)


class Federation:
    """Datacenters of some servers and a gateway each, after one pattern."""

    primary = "dc1"

    def __init__(self, binary, places, settings=None):
        """places: {dc: {"servers": [Place...], "gateway": Place}}; a datacenter
        may do without a gateway. settings: keys for every server's file."""
        self.binary = os.path.abspath(binary)
        self.folder = tempfile.mkdtemp(prefix="isthmus-")
        self.servers, self.gateways = {}, {}
        self._places, self._settings = places, settings or {}
        try:
            self._make_secrets()
            for dc in places:
                self._make_datacenter(dc)
        except BaseException:
            self.remove()
            raise

    def run(self, *command):
        """Output of one of our own commands."""
        done = subprocess.run([self.binary, *command], cwd=self.tls,
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise Failure(f"isthmus {' '.join(command)}: {done.stderr.strip()}")
        return done.stdout

    def _make_secrets(self):
        self.tls = os.path.join(self.folder, "tls")
        os.makedirs(self.tls)
        self.run("tls", "ca", "create")
        self.key = self.run("keygen").strip()

    def _make_certificate(self, dc, name, number):
        self.run("tls", "cert", "create", "-server", "-dc", dc, "-node", name)
        stem = os.path.join(self.tls, f"{dc}-server-consul-{number}")
        return f"{stem}.pem", f"{stem}-key.pem"

    def _config(self, dc, name, number, place):
        certificate, key = self._make_certificate(dc, name, number)
        servers = self._places[dc]["servers"]
        config = {
            "node_name": name, "datacenter": dc,
            "primary_datacenter": self.primary, "server": True,
            "bootstrap_expect": len(servers), "bind_addr": place.lan,
            "client_addr": place.lan, "encrypt": self.key,
            "data_dir": os.path.join(self.folder, dc, name, "data"),
            "ca_file": os.path.join(self.tls, "consul-agent-ca.pem"),
            "cert_file": certificate, "key_file": key,
            "verify_incoming": True, "verify_outgoing": True,
            "verify_server_hostname": True,
            "connect": {"enable_mesh_gateway_wan_federation": True},
            "retry_join": [other.lan for other in servers],
            "retry_interval": "1s", "retry_interval_wan": "1s",
        }
        if dc != self.primary:
            gateway = self._places[self.primary]["gateway"]
            config["primary_gateways"] = [at(gateway.wan, GATEWAY)]
            config["primary_gateways_interval"] = "1s"
        return {**config, **self._settings}

    def _make_datacenter(self, dc):
        self.servers[dc] = []
        for number, place in enumerate(self._places[dc]["servers"]):
            name = f"server{number + 1}"
            self.servers[dc].append(
                Server(self, name, dc, place,
                       self._config(dc, name, number, place)))
        if "gateway" in self._places[dc]:
            self.gateways[dc] = Gateway(self, "gateway", dc,
                                        self._places[dc]["gateway"],
                                        self.servers[dc][0])

    def all_servers(self):
        return [server for servers in self.servers.values()
                for server in servers]

    def nodes(self):
        return self.all_servers() + list(self.gateways.values())

    def start(self):
        for node in self.nodes():
            node.start()

    def wait(self, what, condition, timeout=30.0):
        """Like wait(), but over at once if one of our processes ended."""
        def check():
            for node in self.nodes():
                collapse = node.collapse()
                if collapse:
                    raise Failure(f"{collapse}\nwhile waiting for {what}")
            return condition()
        try:
            return wait(what, check, timeout)
        except Failure as failure:
            refusals = [node.refusal for node in self.nodes() if node.refusal]
            if not refusals:
                raise
            raise Failure("\nrefused by ".join([str(failure)] + refusals)
                          ) from None

    def stop(self):
        """Ends everything; says which did not end well, in words."""
        nodes = [node for node in self.nodes() if node.process]
        for node in nodes:
            node.terminate()
        codes = [(node, node.finish()) for node in nodes]
        return [f"{node.name} of {node.dc} ended with {code}"
                for node, code in codes if code not in (0, -signal.SIGKILL)]

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)


def wait(what, condition, timeout=30.0, every=0.02):
    """The condition's value once it is true; asks again and again."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failure(f"not within {timeout:.0f} s: {what}")
        time.sleep(every)


# ---- questions to a federation ---------------------------------------------

def leader(server):
    return server.get("/v1/status/leader?stale") or None


def leading(servers):
    """The server that leads, by the word of one that is alive."""
    for server in servers:
        address = leader(server) if server.running() else None
        for other in servers:
            if (address == at(other.place.lan, SERVER)
                    and other.running()):
                return other
    return None


def alive_wan(server):
    members = server.get("/v1/agent/members?wan=1") or []
    return {member["Name"] for member in members if member["Status"] == 1}


def gateway_addresses(instances):
    return sorted(instance["Service"]["TaggedAddresses"]["wan"]["Address"]
                  for instance in instances)


def states(server):
    """{dc: WAN addresses of its gateways} as this server's datacenter says."""
    listed = server.get("/v1/internal/federation-states")
    if listed is None:
        return None
    return {state["Datacenter"]: gateway_addresses(state["MeshGateways"] or [])
            for state in listed}
