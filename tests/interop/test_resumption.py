"""Connections through gateways resume their TLS sessions: with the far server,
whichever gateway leads there. Federation.md section 3.
"""
from lab import Lab, Place, alive_wan, counter, servers_at

NETWORKS = {"dc1": 53, "dc2": 54}


class Resumption(Lab):
    places = {dc: {"servers": servers_at(n, 1),
                   "gateway": Place(f"127.{n}.0.10", f"127.{n}.0.11")}
              for dc, n in NETWORKS.items()}

    def test_after_a_gateway_restarts(self):
        """when dc2's gateway is killed and comes back, both servers dial
        again, and most of these handshakes are resumed ones"""
        ours = [self.federation.servers[dc][0] for dc in NETWORKS]
        for server in ours:
            self.wait("one federation", lambda s=server: (
                len(alive_wan(s)) == 2
                and len(s.get("/v1/internal/federation-states/mesh-gateways")
                        or {}) == 2), 60)
        self.wait("sessions to resume", lambda: all(
            counter(server, "isthmus.rpc.handshakes", session="new") >= 1
            for server in ours))
        before = [counter(server, "isthmus.rpc.handshakes", session="new")
                  for server in ours]
        gateway = self.federation.gateways["dc2"]
        gateway.kill()
        gateway.start()
        self.wait("resumed sessions at both", lambda: all(
            counter(server, "isthmus.rpc.handshakes", session="resumed") >= 1
            for server in ours), 60)
        for server, new in zip(ours, before):
            self.assertLessEqual(
                counter(server, "isthmus.rpc.handshakes", session="new") - new,
                counter(server, "isthmus.rpc.handshakes", session="resumed"),
                server.name)
