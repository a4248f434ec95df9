"""The gateway's process against peers that share no code with it: an agent's
HTTP API, TLS echo servers and TLS clients, all of Python's. Ends with 0 if all
holds; what does not is on standard error.

usage: gateway_run.py PATH_OF_ISTHMUS
"""
import collections, contextlib, http.server, json, os, socket, ssl, subprocess, sys
import tempfile, threading, time, urllib.error, urllib.parse, urllib.request

DEADLINE_S = 20


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


def until(what, condition):
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("never came: " + what)


class Agent:
    """What the gateway asks of an agent, with blocking queries."""

    def __init__(self, port):
        self.cond = threading.Condition()
        self.index = 100
        self.servers, self.sites, self.services = [], {}, {}
        self.health = {}    # by check id: what the gateway said last
        self.asked = collections.Counter()
        self.told = {}      # by path: the index of the last answer
        self.broken = False
        agent = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def answer(self, code, body=None):
                text = b"" if body is None else json.dumps(body).encode()
                self.send_response(code)
                self.send_header("X-Consul-Index", str(agent.index))
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                with contextlib.suppress(OSError):  # it asks no more
                    self.wfile.write(text)

            def do_GET(self):
                url = urllib.parse.urlparse(self.path)
                query = urllib.parse.parse_qs(url.query)
                agent.asked[url.path] += 1
                index = int(query.get("index", ["0"])[0])
                with agent.cond:
                    agent.cond.wait_for(
                        lambda: agent.broken or agent.index != index, 60)
                agent.told[url.path] = agent.index
                if agent.broken:
                    self.answer(500)
                elif url.path == "/v1/agent/self":
                    self.answer(200, {"Config": {"Datacenter": "dc1",
                                                 "NodeName": "node1",
                                                 "Domain": "Example.Org"}})
                elif url.path == "/v1/health/service/consul":
                    self.answer(200, agent.servers)
                elif url.path == \
                        "/v1/internal/federation-states/mesh-gateways":
                    self.answer(200, agent.sites)
                elif url.path == "/v1/health/service/mesh-gateway":
                    self.answer(200, [{"Node": {"Node": "node1"},
                                       "Service": service, "Checks": []}
                                      for service in agent.services.values()])
                else:
                    self.answer(404)

            def do_PUT(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                agent.asked[self.path] += 1
                last = self.path.rsplit("/", 1)[1]
                if self.headers.get("X-Consul-Token") != "secret":
                    self.answer(403)
                elif agent.broken:
                    self.answer(500)
                elif self.path == "/v1/agent/service/register":
                    service = json.loads(body)
                    agent.health.pop(service["Check"]["CheckID"], None)
                    agent.change(services={**agent.services,
                                           service["ID"]: service})
                    self.answer(200)
                elif self.path.startswith("/v1/agent/service/deregister/"):
                    agent.services.pop(last)
                    self.answer(200)
                elif self.path.startswith("/v1/agent/check/update/"):
                    check = urllib.parse.unquote(last)
                    known = check in [s["Check"]["CheckID"]
                                      for s in agent.services.values()]
                    if known:
                        agent.health[check] = json.loads(body)
                    self.answer(200 if known else 404)
                else:
                    self.answer(404)

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", port),
                                                    Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def status(self):
        """Of the gateway, by its check."""
        check = self.services.get("mesh-gateway", {}).get("Check", {})
        return self.health.get("service:mesh-gateway", check).get("Status")

    def set_meta(self, meta):
        """An operator registers the gateway anew."""
        service = {**self.services["mesh-gateway"], "Meta": meta}
        self.change(services={"mesh-gateway": service})

    def change(self, **fields):
        with self.cond:
            self.index = fields.pop("index", self.index + 1)
            for name, value in fields.items():
                setattr(self, name, value)
            self.cond.notify_all()


def server(node, port, status="passing"):
    return {"Node": {"Node": node, "Address": "127.0.0.1"},
            "Service": {"ID": "consul", "Service": "consul", "Address": "",
                        "Port": port},
            "Checks": [{"Status": status}]}


def gateway(port):
    return {"Node": {"Node": "g", "Address": "192.0.2.1"},
            "Service": {"Kind": "mesh-gateway", "ID": "g", "Service": "g",
                        "Port": 1, "Meta": {"consul-wan-federation": "1"},
                        "TaggedAddresses": {"wan": {"Address": "127.0.0.1",
                                                    "Port": port}}},
            "Checks": []}


class Echo:
    """A TLS server that says its name, and then what it hears."""

    def __init__(self, name, folder):
        key, cert = folder + "/key.pem", folder + "/cert.pem"
        if not os.path.exists(key):
            subprocess.run(
                ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                 "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key,
                 "-out", cert, "-subj", "/CN=test", "-days", "2", "-addext",
                 "subjectAltName=DNS:server.dc1.example.org"],
                check=True, stderr=subprocess.DEVNULL)
        self.name, self.sources = name, set()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(cert, key)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            conn, peer = self.listener.accept()
            self.sources.add(peer[0])
            threading.Thread(target=self.serve, args=(conn,),
                             daemon=True).start()

    def serve(self, conn):
        try:
            with self.context.wrap_socket(conn, server_side=True) as tls:
                tls.sendall(self.name)
                while data := tls.recv(65536):
                    tls.sendall(data)
        except OSError:
            pass


def connect(port, name, version=None):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if version:
        context.minimum_version = context.maximum_version = version
    raw = socket.create_connection(("127.0.0.1", port), DEADLINE_S)
    return context.wrap_socket(raw, server_hostname=name)


def who(port, name, version=None):
    try:
        with connect(port, name, version) as tls:
            return tls.recv(16)
    except OSError:
        return None


def get(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        return error.code, None
    except OSError:
        return 0, None


def counter(port, name, label=None):
    return sum(c["Count"] for c in get(port, "/metrics")[1]["Counters"]
               if c["Name"] == name and
               (label is None or label in c["Labels"].values()))


def check(binary, folder):
    ports = {n: free_port() for n in ("gateway", "admin", "agent")}
    address = f"127.0.0.1:{ports['gateway']}"
    command = [binary, "gateway", "-register", "-expose-servers",
               "-address", address, "-wan-address", f"127.0.0.9:{ports['gateway']}",
               "-http-addr", f"127.0.0.1:{ports['agent']}",
               "-admin-addr", f"127.0.0.1:{ports['admin']}", "-token", "secret"]
    log = open(folder + "/log", "w")
    process = subprocess.Popen(command, stderr=log)
    try:
        follow(ports, folder, process)
        # A second one on the same address is told so, by flag.
        second = subprocess.run(command, stderr=subprocess.PIPE, text=True)
        assert second.returncode == 1, second
        assert "-address" in second.stderr and address in second.stderr
        leave(ports, process)
    finally:
        process.kill()
        process.wait()
        log.close()


agents = {}


def federation_watches(agent):
    return agent.asked["/v1/internal/federation-states/mesh-gateways"]


def follow(ports, folder, process):
    one, two, far = (Echo(n, folder) for n in (b"one", b"two", b"far"))
    gw, admin = ports["gateway"], ports["admin"]

    # Without an agent it waits, and routes nothing.
    until("not ready", lambda: get(admin, "/ready")[0] == 503)
    assert who(gw, "one.server.dc1.example.org") is None
    agent = agents["one"] = Agent(ports["agent"])
    agent.servers = [server("one", one.port), server("sick", 1, "critical")]
    until("ready", lambda: get(admin, "/ready")[0] == 200)
    service = agent.services["mesh-gateway"]
    assert service["Kind"] == "mesh-gateway", service
    assert service["Port"] == gw
    assert service["TaggedAddresses"]["lan"] == {"Address": "127.0.0.1",
                                                 "Port": gw}
    assert service["TaggedAddresses"]["wan"] == {"Address": "127.0.0.9",
                                                 "Port": gw}
    assert service["Meta"] == {"consul-wan-federation": "1"}
    # It registers when a server has answered through it, not before.
    assert service["Check"]["Status"] == "passing", service

    # By exact name and by "any", in both versions of TLS, name in any case.
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        assert who(gw, "One.Server.DC1.example.ORG", version) == b"one"
        assert who(gw, "server.dc1.example.org", version) == b"one"
    for name in ("sick.server.dc1.example.org", "server.dc2.example.org",
                 "example.org", None):
        assert who(gw, name) is None, name
    assert counter(admin, "isthmus.gateway.connections",
                   "one.server.dc1.example.org") == 2
    assert counter(admin, "isthmus.gateway.probe", "passed") == 1
    assert counter(admin, "isthmus.gateway.refused", "no_sni") == 1
    assert counter(admin, "isthmus.gateway.refused", "no_route") >= 3

    # A long connection lives through what follows.
    long = connect(gw, "one.server.dc1.example.org")
    assert long.recv(16) == b"one"

    # Changes arrive by themselves.
    agent.change(servers=[server("two", two.port)],
                 sites={"dc2": [gateway(far.port)], "dc1": [gateway(1)]})
    until("dc2", lambda: who(gw, "x.server.dc2.example.org") == b"far")
    until("two", lambda: who(gw, "server.dc1.example.org") == b"two")
    assert who(gw, "one.server.dc1.example.org") is None
    # It dials from the address that it listens on.
    assert far.sources == {"127.0.0.1"}

    # The meta decides, as it runs: without it no route, and no watch.
    agent.set_meta({"mine": "1"})
    until("no routes", lambda: get(admin, "/routes")[1] == [])
    assert who(gw, "x.server.dc2.example.org") is None
    assert get(admin, "/ready")[0] == 200
    watched = federation_watches(agent)
    agent.change(sites={"dc2": []})
    agent.change(sites={"dc2": [gateway(far.port)], "dc1": [gateway(1)]})
    until("its own meta followed", lambda: agent.index ==
          agent.told["/v1/health/service/mesh-gateway"])
    assert federation_watches(agent) == watched
    # It is kept when the agent forgets: the last meta, not the first.
    agent.change(services={})
    until("registered again", lambda: "mesh-gateway" in agent.services)
    assert agent.services["mesh-gateway"]["Meta"] == {}
    assert get(admin, "/routes")[1] == []
    agent.set_meta({"consul-wan-federation": "1"})
    until("routes again", lambda: who(gw, "x.server.dc2.example.org") == b"far")
    assert who(gw, "server.dc1.example.org") == b"two"
    assert federation_watches(agent) > watched

    # While the agent fails the routes stay, and it is not asked in a hot loop.
    before = sum(agent.asked.values())
    start = time.monotonic()
    agent.change(broken=True)
    until("a failure seen", lambda: sum(agent.asked.values()) > before + 4)
    took = time.monotonic() - start
    assert (sum(agent.asked.values()) - before) / took < 20, "a hot loop"
    assert who(gw, "x.server.dc2.example.org") == b"far"

    # It comes back with a smaller index, and has forgotten us.
    agent.change(broken=False, index=5, services={},
                 servers=[server("one", one.port)])
    until("one again", lambda: who(gw, "one.server.dc1.example.org") == b"one")
    until("registered again", lambda: "mesh-gateway" in agent.services)
    agent.change(sites={})
    until("dc2 gone", lambda: who(gw, "x.server.dc2.example.org") is None)

    data = os.urandom(8 << 20)
    writer = threading.Thread(target=long.sendall, args=(data,))
    writer.start()
    back = b""
    while len(back) < len(data):
        back += long.recv(1 << 20)
    writer.join()
    assert back == data
    long.close()
    assert process.poll() is None


def leave(ports, process):
    process.terminate()
    assert process.wait(DEADLINE_S) == 0
    assert agents["one"].services == {}


def main():
    with tempfile.TemporaryDirectory() as folder:
        try:
            check(sys.argv[1], folder)
        except BaseException:
            with open(folder + "/log") as log:
                sys.stderr.write(log.read())
            raise


if __name__ == "__main__":
    main()
