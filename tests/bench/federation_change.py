#!/usr/bin/env python3
"""How long a change of gateways in dc2 takes until dc3 has it, with real agents
on loopback: the time from before the registration at dc2's agent until a
blocking query at dc3's server comes back with it. Also the two waypoints, dc2's
own catalog and the primary's table. Nothing here polls.

  federation_change.py ISTHMUS [CHANGES [SPACING_S]]     prints a markdown table
"""
import http.client
import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "demo"))
from federation import Federation, Place, alive_wan  # noqa: E402

EXTRA = "127.42.0.99"
PATHS = {"in dc2's catalog": ("dc2", "/v1/health/service/mesh-gateway"),
         "in the primary": ("dc1", "/v1/internal/federation-state/dc2"),
         "in dc3": ("dc3", "/v1/internal/federation-state/dc2")}


class Watch(threading.Thread):
    """Holds a blocking query open; tells when the extra gateway came or went."""

    def __init__(self, server, path):
        super().__init__(daemon=True)
        self.server, self.path = server, path
        self.seen = threading.Condition()
        self.has, self.at = None, 0.0

    def run(self):
        index = 0
        while True:
            try:
                _, headers, body = self.server.place.http(
                    "GET", f"{self.path}?index={index}&wait=60s", timeout=90)
                now, index = time.monotonic(), int(headers["X-Consul-Index"])
            except (OSError, http.client.HTTPException, TypeError):
                return  # the end of the federation, or when() will tell
            with self.seen:
                has = EXTRA in body.decode()
                if has != self.has:
                    self.has, self.at = has, now
                    self.seen.notify_all()

    def when(self, has):
        with self.seen:
            if not self.seen.wait_for(lambda: self.has == has, 30):
                sys.exit(f"a change was never seen: {self.path}")
            return self.at


def service():
    address = {"Address": EXTRA, "Port": 8443}
    return {"Name": "mesh-gateway", "ID": "extra", "Kind": "mesh-gateway",
            "Port": 8443, "Address": EXTRA,
            "Meta": {"consul-wan-federation": "1"},
            "TaggedAddresses": {"lan": address, "wan": address}}


def measure(federation, changes, spacing_s):
    agent = federation.servers["dc2"][0]
    watches = {name: Watch(federation.servers[dc][0], path)
               for name, (dc, path) in PATHS.items()}
    for watch in watches.values():
        watch.start()
        watch.when(False)
    times = {name: [] for name in watches}
    for change in range(changes):
        time.sleep(spacing_s * (0.5 + random.random()))
        comes = change % 2 == 0
        began = time.monotonic()
        if comes:
            agent.put("/v1/agent/service/register", service())
        else:
            agent.put("/v1/agent/service/deregister/extra")
        for name, watch in watches.items():
            times[name].append(1000 * (watch.when(comes) - began))
    return times


def main():
    binary = sys.argv[1]
    changes = int(sys.argv[2]) if len(sys.argv) > 2 else 100
    spacing_s = float(sys.argv[3]) if len(sys.argv) > 3 else 1.5
    random.seed(1)
    federation = Federation(binary, {
        f"dc{n}": {"servers": [Place(f"127.4{n}.0.{i + 1}")
                               for i in range(3 if n == 1 else 1)],
                   "gateway": Place(f"127.4{n}.0.10", f"127.4{n}.0.11")}
        for n in (1, 2, 3)})
    try:
        federation.start()
        for dc in federation.servers:
            server = federation.servers[dc][0]
            federation.wait("all to be one", lambda s=server: (
                len(alive_wan(s)) == 5
                and len(s.get("/v1/internal/federation-states") or []) == 3
                and all(state["MeshGateways"] for state in s.get(
                    "/v1/internal/federation-states") or [{}])), 60)
        time.sleep(5)
        times = measure(federation, changes, spacing_s)
    finally:
        federation.stop()
        federation.remove()
    print(f"| a change of dc2's gateways, {changes} times | p50 ms | p90 | "
          "p99 | most |\n| --- | --: | --: | --: | --: |")
    for name, values in times.items():
        values.sort()
        cut = [values[min(len(values) - 1, int(len(values) * part))]
               for part in (0.5, 0.9, 0.99)] + [values[-1]]
        print(f"| {name} | " + " | ".join(f"{v:.0f}" for v in cut) + " |")


if __name__ == "__main__":
    main()
