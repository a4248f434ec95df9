"""kill -9 of every server of the primary at once, under writes: whatever was
acknowledged is there after the restart, and the federation heals by itself.
Then the same for every process of all three datacenters.
"""
import os
import threading
import time

from lab import GATEWAY, Lab, Place, alive_wan, leading, servers_at, states
from peer import ALPN_MULTI, Caller, Identity, dial_tls, field

DATACENTERS = {"dc1": 21, "dc2": 22, "dc3": 23}
WRITERS, WRITES_BEFORE_KILL = 4, 60
UPSERT = 1


class Writer(threading.Thread):
    """Writes one record after the other, and keeps what was acknowledged."""

    def __init__(self, write):
        super().__init__(daemon=True)
        self.write, self.acknowledged = write, []
        self.stopping = threading.Event()
        self.start()

    def run(self):
        number = 0
        while not self.stopping.is_set():
            number += 1
            if self.write(number):
                self.acknowledged.append(number)
            else:
                time.sleep(0.02)

    def stop(self):
        self.stopping.set()
        self.join()
        return self.acknowledged


class Recovery(Lab):
    places = {dc: {"servers": servers_at(n, 3 if dc == "dc1" else 1),
                   "gateway": Place(f"127.{n}.0.10", f"127.{n}.0.11")}
              for dc, n in DATACENTERS.items()}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        federation = cls.federation
        cls.dc1 = federation.servers["dc1"]
        cls.want = {dc: [federation.gateways[dc].place.wan]
                    for dc in DATACENTERS}
        tls = federation.tls
        federation.run("tls", "cert", "create", "-server", "-dc", "dc1",
                       "-node", "writer")
        stem = os.path.join(tls, "dc1-server-consul-3")
        cls.identity = Identity(os.path.join(tls, "consul-agent-ca.pem"),
                                f"{stem}.pem", f"{stem}-key.pem")

    def healed(self):
        """One federation: all see all, states are equal, calls cross."""
        federation = self.federation
        names = {f"{s.name}.{s.dc}" for s in federation.all_servers()}
        for server in federation.all_servers():
            self.wait(f"{server.name}.{server.dc} to see all alive",
                      lambda s=server: alive_wan(s) == names, 90)
        for dc, servers in federation.servers.items():
            self.wait(f"the states in {dc}", lambda s=servers[0]: {
                key: value for key, value in (states(s) or {}).items()
                if key in DATACENTERS} == self.want, 90)
        for here, servers in federation.servers.items():
            for there in DATACENTERS:
                self.wait(f"{here} to reach {there}", lambda s=servers[0]:
                          s.get(f"/v1/catalog/nodes?dc={there}", timeout=3),
                          60)

    def register(self, server, prefix):
        """Acknowledged service registrations, straight into the catalog."""
        def write(number):
            return server.put("/v1/catalog/register", {
                "Node": f"{prefix}-{number}", "Address": "192.0.2.1",
                "Service": {"Service": prefix, "Port": number}}, timeout=5)
        return Writer(write)

    def apply(self, server, prefix):
        """Acknowledged federation states, by RPC as a server would."""
        caller = None

        def write(number):
            nonlocal caller
            name = f"{prefix}-{number}"
            try:
                if caller is None:
                    caller = Caller(dial_tls(
                        (server.place.lan, 8300),
                        self.identity.client([ALPN_MULTI]),
                        f"{server.name}.server.dc1.consul"))
                state = field(1, name) + field(7, 1)
                change = field(1, UPSERT) + field(2, state) + field(4, 1)
                return caller.call("FederationState.Apply",
                                   field(4, change)).status == 0
            except (OSError, EOFError):
                caller = None
                return False
        return Writer(write)

    def kill_under_writes(self, nodes, label):
        """Writes, kills all these nodes, and gives what was acknowledged."""
        writers = {f"web-{label}-{n}": self.register(
            self.dc1[n % 3], f"web-{label}-{n}") for n in range(WRITERS - 1)}
        applier = self.apply(self.dc1[1], f"state-{label}")
        everyone = [*writers.values(), applier]
        self.wait("some writes", lambda: all(
            len(writer.acknowledged) >= WRITES_BEFORE_KILL
            for writer in everyone), 60)
        for node in nodes:
            node.may_end = True
        for node in nodes:          # at once: nobody learns of the others
            node.signal(9)
        for node in nodes:
            node.process.wait()
        done = {name: writer.stop() for name, writer in writers.items()}
        return done, applier.stop(), f"state-{label}"

    def check_kept(self, services, applied, prefix):
        for server in self.dc1:
            for name, numbers in services.items():
                found = {instance["ServicePort"] for instance in self.wait(
                    f"{name} of {server.name}", lambda n=name, s=server: s.get(
                        f"/v1/catalog/service/{n}"))}
                self.assertLessEqual(set(numbers), found, f"lost of {name}")
            found = {state["Datacenter"] for state in server.get(
                "/v1/internal/federation-states")}
            self.assertLessEqual({f"{prefix}-{n}" for n in applied}, found,
                                 "lost federation states")

    def test_1_forms(self):
        """three datacenters form a federation"""
        self.healed()

    def test_2_primary_dies(self):
        """kill -9 of dc1's three servers at once under writes: nothing
        acknowledged is lost, the federation heals"""
        kept = self.kill_under_writes(self.dc1, "a")
        for server in self.dc1:
            server.start()
        self.wait("a leader", lambda: leading(self.dc1))
        self.check_kept(*kept)
        self.healed()

    def test_3_again(self):
        """the same once more, on what the first time left"""
        kept = self.kill_under_writes(self.dc1, "b")
        for server in reversed(self.dc1):
            server.start()
        self.wait("a leader", lambda: leading(self.dc1))
        self.check_kept(*kept)
        self.healed()

    def test_4_states_reach_secondaries(self):
        """what was acknowledged in dc1 is replicated to dc2 and dc3"""
        want = {state["Datacenter"] for state in self.dc1[0].get(
            "/v1/internal/federation-states")}
        self.assertGreater(len(want), 2 * WRITES_BEFORE_KILL)
        for dc in ("dc2", "dc3"):
            server = self.federation.servers[dc][0]
            self.wait(f"all states in {dc}", lambda s=server: {
                state["Datacenter"] for state in s.get(
                    "/v1/internal/federation-states") or []} == want, 60)

    def test_5_everything_dies(self):
        """kill -9 of every server and gateway of all datacenters at once: the
        same"""
        kept = self.kill_under_writes(self.federation.nodes(), "c")
        self.federation.start()
        for dc, servers in self.federation.servers.items():
            self.wait(f"a leader in {dc}", lambda s=servers: leading(s))
        self.check_kept(*kept)
        self.healed()

    def test_6_changes_go_on(self):
        """a change in dc3 still reaches dc1 and dc2"""
        agent = self.federation.servers["dc3"][0]
        where = {"Address": "127.23.0.99", "Port": GATEWAY}
        self.assertTrue(agent.put("/v1/agent/service/register", {
            "Name": "mesh-gateway", "ID": "extra", "Kind": "mesh-gateway",
            **where, "TaggedAddresses": {"lan": where, "wan": where}}))
        for dc in ("dc1", "dc2"):
            self.wait(f"{dc} to hear of it",
                      lambda s=self.federation.servers[dc][0]:
                      where["Address"] in (states(s) or {}).get("dc3", []))
