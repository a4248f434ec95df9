#!/usr/bin/env python3
"""The main job, shown: three datacenters that meet only at their gateways
become one federation, and stay one while parts of it are replaced or killed.

Every line below "step" is printed when running agents say so, with the seconds
since the start. Ends with 0 if all of it came true.
"""
import argparse
import os
import signal
import sys
import time

from federation import (HTTP, Failure, Federation, Gateway, Place, alive_wan,
                        leading, states)

DATACENTERS = ("dc1", "dc2", "dc3")
SERVERS = {"dc1": 3, "dc2": 1, "dc3": 1}


def loopback_places():
    """dc<n> is 127.<n>.0.0/16; a gateway has a LAN and a WAN address."""
    return {dc: {"servers": [Place(f"127.{n}.0.{i + 1}")
                             for i in range(SERVERS[dc])],
                 "gateway": Place(f"127.{n}.0.10", f"127.{n}.0.11")}
            for n, dc in enumerate(DATACENTERS, 1)}


class Steps:
    """Prints what came true, and when."""

    def __init__(self):
        self.start = time.monotonic()

    def say(self, text):
        print(f"{time.monotonic() - self.start:7.2f} s  {text}", flush=True)


def form(federation, steps):
    """From nothing to one federation."""
    wait = federation.wait
    federation.start()
    dc1 = federation.servers["dc1"]
    first = wait("a leader in dc1", lambda: leading(dc1))
    steps.say(f"dc1 has a leader: {first.name}")

    for dc in DATACENTERS:
        server = federation.servers[dc][0]
        wait(f"the gateway of {dc} in its catalog",
             lambda s=server: s.get("/v1/health/service/mesh-gateway?passing"))
    steps.say("gateways are registered in their datacenters")

    names = {f"{s.name}.{s.dc}" for s in federation.all_servers()}
    for dc in DATACENTERS[1:]:
        server = federation.servers[dc][0]
        wait(f"{dc} to find the primary",
             lambda s=server: any(name.endswith(".dc1")
                                  for name in alive_wan(s)), 60)
        steps.say(f"{dc} found the primary by primary_gateways")

    for server in federation.all_servers():
        wait(f"{server.name}.{server.dc} to see the whole WAN pool",
             lambda s=server: alive_wan(s) == names, 60)
    steps.say(f"WAN pool is complete: {len(names)} servers, "
              "seen from every server")

    want = {dc: [federation.gateways[dc].place.wan] for dc in DATACENTERS}
    for dc in DATACENTERS:
        wait(f"federation states in {dc}",
             lambda d=dc: states(federation.servers[d][0]) == want, 60)
    steps.say("federation states are equal in dc1, dc2 and dc3")


def call_across(federation, steps):
    """A read that dc3 is asked for and dc2 answers, through both gateways."""
    wait = federation.wait
    asked = federation.servers["dc3"][0]
    name = "server1.server.dc2.consul"
    gateways = [federation.gateways["dc3"], federation.gateways["dc2"]]
    before = [gateway.connections_for(name) for gateway in gateways]
    nodes = wait("an answer of dc2",
                 lambda: asked.get("/v1/catalog/nodes?dc=dc2"))
    if not all(node["Datacenter"] == "dc2" for node in nodes):
        raise Failure(f"dc2 answered with foreign nodes: {nodes}")

    def moved():
        now = [gateway.connections_for(name) - old
               for gateway, old in zip(gateways, before)]
        return now if all(count > 0 for count in now) else None

    here, there = wait("both gateways to count it", moved)
    steps.say("RPC from dc3 was answered by dc2 through two gateways "
              f"(+{here} and +{there} connections for {name})")


def replace_gateway(federation, steps, place):
    """dc2's gateway goes, another comes at a new address, dc3 follows."""
    wait = federation.wait
    old = federation.gateways["dc2"]
    asked = federation.servers["dc3"][0]
    old.stop()
    new = Gateway(federation, "gateway-new", "dc2", place,
                  federation.servers["dc2"][0])
    federation.gateways["dc2"] = new
    began = time.monotonic()
    new.start()
    wait("dc3 to know the new gateway",
         lambda: (states(asked) or {}).get("dc2") == [place.wan])
    steps.say("dc2's new gateway is known in dc3 after "
              f"{time.monotonic() - began:.2f} s")
    name = "server1.server.dc2.consul"
    wait("dc3 to use the new gateway",
         lambda: asked.get("/v1/catalog/nodes?dc=dc2", timeout=2)
         and new.connections_for(name) > 0)
    steps.say("dc3 uses dc2's new gateway after "
              f"{time.monotonic() - began:.2f} s")


def kill_leader(federation, steps):
    """The leader of dc1 dies; a change of dc3 must still get to dc1."""
    wait = federation.wait
    dc1 = federation.servers["dc1"]
    victim = wait("the leader of dc1", lambda: leading(dc1))
    left = [server for server in dc1 if server is not victim]
    agent = federation.servers["dc3"][0]
    victim.kill()
    began = time.monotonic()
    extra = "127.3.0.99" if agent.place.lan.startswith("127.") else "192.0.2.99"
    address = {"Address": extra, "Port": 8443}
    wait("dc3 to take a second gateway",
         lambda: agent.put("/v1/agent/service/register",
                           {"Name": "mesh-gateway", "ID": "gateway-extra",
                            "Kind": "mesh-gateway", "Port": 8443,
                            "Address": extra,
                            "TaggedAddresses": {"lan": address,
                                                "wan": address}}))
    wait("an Apply from dc3 in dc1",
         lambda: extra in (states(left[0]) or {}).get("dc3", []), 60)
    steps.say(f"leader of dc1 ({victim.name}) killed; an Apply from dc3 was "
              f"in force after {time.monotonic() - began:.2f} s")
    agent.put("/v1/agent/service/deregister/gateway-extra")
    wait("the extra gateway to go again",
         lambda: extra not in (states(left[0]) or {"dc3": [extra]})["dc3"], 60)
    victim.start()
    wait("the killed server to be back",
         lambda: len(alive_wan(left[0])) == sum(SERVERS.values()), 60)
    steps.say(f"{victim.name} of dc1 is back")


def table(federation):
    rows = [("Datacenter", "Servers", "Gateway (WAN)", "Raft index",
             "Federation index")]
    for dc in DATACENTERS:
        server = leading(federation.servers[dc])
        stats = server.get("/v1/agent/self")["Stats"]["raft"]
        headers = server.place.http(
            "GET", "/v1/internal/federation-states")[1]
        rows.append((dc, str(len(federation.servers[dc])),
                     federation.gateways[dc].place.wan,
                     str(stats["commit_index"]), headers["X-Consul-Index"]))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  " + "  ".join(cell.ljust(width)
                               for cell, width in zip(row, widths)).rstrip())


def prove(capture, federation_gateways, steps):
    capture.stop()
    if capture.dropped:
        raise Failure(f"the capture lost {capture.dropped} packets")
    wrong = capture.violations(federation_gateways)
    if wrong:
        raise Failure("packets between datacenters past the gateways: "
                      + ", ".join(f"{a} > {b}" for a, b in wrong))
    total = sum(capture.pairs.values())
    if total == 0:
        raise Failure("the capture saw nothing")
    steps.say(f"proof: {total} packets crossed datacenters, "
              "every one with a gateway at an end")


def look_around(federation):
    print("\nStill running; Ctrl-C ends it. Look around:")
    for command in ("members -wan", "federation list",
                    "federation get dc2", "federation gateways"):
        print(f"  {federation.binary} {command} "
              f"-http-addr={federation.servers['dc3'][0].place.lan}:{HTTP}")
    print(f"  logs: {federation.folder}/dc*/*/log")
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        pass


def start_capture(steps):
    """A capture under way, or None where the kernel does not let us."""
    from capture import Capture
    try:
        capture = Capture(range(1, len(DATACENTERS) + 1))
    except PermissionError:
        steps.say("no proof by packet capture: that needs root")
        return None
    capture.start()
    return capture


def show(federation, steps, options):
    new_place = Place("127.2.0.20", "127.2.0.21")
    gateways = [gateway.place for gateway in federation.gateways.values()]
    addresses = [address for place in gateways + [new_place]
                 for address in (place.lan, place.wan)]
    capture = start_capture(steps)
    form(federation, steps)
    call_across(federation, steps)
    replace_gateway(federation, steps, new_place)
    kill_leader(federation, steps)
    if capture:
        prove(capture, addresses, steps)
    table(federation)
    if options.keep:
        look_around(federation)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", default="build/bin/isthmus")
    parser.add_argument("--keep", action="store_true",
                        help="leave the federation running at the end")
    options = parser.parse_args()
    # An end from outside runs the "finally" below, so nothing is left behind.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    steps = Steps()
    try:
        federation = Federation(options.binary, loopback_places())
    except (Failure, OSError) as failure:
        print(f"demo failed: {failure}", file=sys.stderr)
        return 1
    keep_logs = False
    try:
        steps.say("certificates and gossip key are made")
        show(federation, steps, options)
    except Failure as failure:
        keep_logs = True
        print(f"demo failed: {failure}\nlogs: {federation.folder}",
              file=sys.stderr)
    except KeyboardInterrupt:
        return 130
    finally:
        federation.stop()
        if not keep_logs:
            federation.remove()
    return 1 if keep_logs else 0


if __name__ == "__main__":
    sys.exit(main())
