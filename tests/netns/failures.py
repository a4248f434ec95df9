#!/usr/bin/env python3
"""Failures that users met (docs/failures.md), on hosts that are network
namespaces. dc2 and dc3 use the same addresses, so only gateways could ever
reach anything; gateways meet on a WAN with delay, jitter, loss and reordering
(wanlink.c, from a seed). Needs root. Names of failures choose among them; a
check that cannot run fails.
"""
import argparse
import json
import os
import signal
import socket
import sys
import threading
import time

from network import Network, NoNamespaces, WanLink, inside

import demo
from federation import (GATEWAY, Failure, Federation, Gateway, alive_wan,
                        leading, states)

WAN = "198.51.100"
NETS = {"dc1": "10.1.0", "dc2": "10.2.0", "dc3": "10.2.0"}
SERVERS = {"dc1": 3, "dc2": 1, "dc3": 1}
SPARES = 2                     # further gateway hosts, for each datacenter
SUSPICION_S = 90               # within it the WAN pool declares a death
WAN_OPTIONS = ("-delay-ms", "15", "-jitter-ms", "4", "-loss", "0.005",
               "-reorder", "0.01")


class Road:
    """A secondary's way out to a gateway of the primary: what a NAT router is
    in a real datacenter, here a relay of TCP on its gateway host."""

    def __init__(self, place, port, target):
        self.address = f"{place.lan}:{port}"
        self.tries, self.open = 0, True
        self._place, self._target = place, target
        self._pairs = []
        with inside(place.namespace):
            self._listener = socket.create_server((place.lan, port))
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self.tries += 1
            threading.Thread(target=self._carry, args=(near,),
                             daemon=True).start()

    def _carry(self, near):
        try:
            if not self.open:
                raise OSError("closed")
            far = self._place.connect((self._target, GATEWAY), 5)
        except (OSError, NoNamespaces):
            near.close()
            return
        self._pairs.append((near, far))
        far.settimeout(None)
        threading.Thread(target=self._pump, args=(far, near),
                         daemon=True).start()
        self._pump(near, far)

    @staticmethod
    def _pump(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        """From now on nobody gets through, and what was open ends."""
        self.open = False
        for pair in self._pairs:
            for end in pair:
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass


class Overlapping(Federation):
    """Secondaries find the primary by a file of addresses of their own."""

    def __init__(self, binary, places, roads):
        self._roads = roads
        super().__init__(binary, places)

    def roads_path(self, dc):
        return os.path.join(self.folder, f"{dc}-primary-gateways")

    def write_roads(self, dc, addresses):
        with open(self.roads_path(dc), "w") as file:
            file.write("".join(f"{address}\n" for address in addresses))

    def _config(self, dc, name, number, place):
        config = super()._config(dc, name, number, place)
        if dc != self.primary:
            config["primary_gateways"] = [
                f"provider=file path={self.roads_path(dc)}"]
            self.write_roads(dc, [self._roads[dc].address])
        return config


class World:
    """The hosts, the federation on them, and what the scripts do with it."""

    def __init__(self, options, steps):
        self.steps, self.network = steps, Network()
        self.link = self.federation = None
        self.spares, self.roads, self.made = {}, {}, 0
        self._build(options)

    def _build(self, options):
        places, ends = {}, []
        for number, (dc, net) in enumerate(NETS.items(), 1):
            lan = self.network.switch(f"{dc}-lan")
            hosts = [self.network.wan_host(
                f"{dc}-gateway{i}", f"{net}.{10 + i}", lan,
                f"{WAN}.{10 * number + i}") for i in range(1 + SPARES)]
            places[dc] = {"gateway": hosts[0], "servers": [
                self.network.host(f"{dc}-server{i + 1}", f"{net}.{i + 1}", lan)
                for i in range(SERVERS[dc])]}
            self.spares[dc] = hosts[1:]
            ends += hosts
        self.link = WanLink(options.wanlink, ends, "-seed", str(options.seed),
                            *WAN_OPTIONS)
        for dc in ("dc2", "dc3"):
            self.roads[dc] = Road(places[dc]["gateway"], 9443,
                                  places["dc1"]["gateway"].wan)
        self.federation = Overlapping(options.binary, places, self.roads)
        self.gateways = {dc: [gateway] for dc, gateway in
                         self.federation.gateways.items()}

    def close(self, good):
        if self.federation:
            self.federation.stop()
            for gateways in self.gateways.values():
                for gateway in gateways:
                    if gateway.running():
                        gateway.stop()
            if good:
                self.federation.remove()
        if self.link:
            self.link.close()
        self.network.close()

    # ---- questions ----

    def wait(self, what, condition, timeout=60):
        return self.federation.wait(what, condition, timeout)

    def first(self, dc):
        return self.federation.servers[dc][0]

    def not_whole(self):
        """A sentence about what is missing, or None."""
        names = {f"{s.name}.{s.dc}" for s in self.federation.all_servers()}
        want = {dc: sorted(gateway.place.wan for gateway in gateways)
                for dc, gateways in self.gateways.items()}
        for server in self.federation.all_servers():
            seen = alive_wan(server)
            if seen != names:
                return (f"{server.name}.{server.dc} sees {sorted(seen)}")
        for dc in self.gateways:
            found = {key: value for key, value in
                     (states(self.first(dc)) or {}).items() if key in want}
            if found != want:
                return f"{dc} has the states {found}, wanted {want}"
        for dc in self.gateways:
            for other in self.gateways:
                if not self.first(dc).get(f"/v1/catalog/nodes?dc={other}",
                                          timeout=5):
                    return f"{dc} cannot read from {other}"
        return None

    def heals(self, name, timeout=150):
        began, why = time.monotonic(), ["nothing was asked"]

        def whole():
            why[0] = self.not_whole()
            return why[0] is None
        try:
            self.wait("all to be well", whole, timeout)
        except Failure as failure:
            raise Failure(f"{name}: {failure}: {why[0]}") from None
        self.steps.say(f"{name}: healed in {time.monotonic() - began:.2f} s")

    # ---- deeds ----

    def new_gateway(self, dc, place):
        self.made += 1
        gateway = Gateway(self.federation, f"gateway-{self.made}", dc, place,
                          self.first(dc))
        gateway.start()
        self.gateways[dc].append(gateway)
        return gateway

    def lose_gateways(self, dc):
        """Their hosts die; an operator deregisters what is gone for good."""
        lost = self.gateways[dc]
        for gateway in lost:
            gateway.kill()
        self.gateways[dc] = []
        self.federation.gateways.pop(dc, None)
        return [(gateway.place, gateway.name) for gateway in lost]

    def deregister(self, dc, lost):
        for _, name in lost:
            self.wait(f"{dc} to deregister {name}", lambda n=name: self.first(
                dc).put(f"/v1/agent/service/deregister/{n}"))

    def spare(self, dc, lost):
        places = self.spares[dc]
        self.spares[dc] = [place for place, _ in lost]
        return places


# ---- the failures ----------------------------------------------------------

def f6(world):
    """dc2 boots while the primary is away: it tries on, and says so."""
    federation = world.federation
    for node in (world.first("dc2"), world.gateways["dc2"][0]):
        node.start()

    def engine():
        answer = world.first("dc2").get("/v1/agent/self") or {}
        engines = answer.get("xIsthmus", {}).get("RetryJoin", [])
        return [one for one in engines if one["What"] == "WAN"
                and one["Attempts"] >= 4 and one["LastError"]]
    found = world.wait("the WAN join to be tried again and again", engine)
    world.steps.say(f"F6: {found[0]['Attempts']} attempts so far, last error "
                    f"\"{found[0]['LastError']}\"")
    for node in federation.nodes():
        if not node.process:
            node.start()
    world.heals("F6, the primary and dc3 came")


def f1(world):
    lost = world.lose_gateways("dc2")
    for place in world.spare("dc2", lost):
        world.new_gateway("dc2", place)
    world.deregister("dc2", lost)
    world.heals("F1, all gateways of dc2 replaced")


def f2(world):
    """The secondaries' lists tell of the new gateways later."""
    lost = world.lose_gateways("dc1")
    places = world.spare("dc1", lost)
    for place in places:
        world.new_gateway("dc1", place)
    world.deregister("dc1", lost)
    time.sleep(10)
    if world.not_whole() is None:
        raise Failure("F2: nobody can know the new addresses yet")
    for dc in ("dc2", "dc3"):
        road = Road(world.gateways[dc][0].place, 9444, places[0].wan)
        world.federation.write_roads(dc, [road.address])
        world.roads[dc] = road
    world.heals("F2, all gateways of dc1 replaced, since the lists changed",
                200)


def f5(world):
    for server in world.federation.servers["dc1"]:
        server.kill()
    for server in world.federation.servers["dc1"]:
        server.start()
    world.heals("F5, all servers of dc1 killed and started")


def f7(world):
    """dc3's way to the primary's gateways is closed for good, and its server
    told never to use it."""
    road, server = world.roads["dc3"], world.first("dc3")
    with open(server.config_path) as file:
        config = json.load(file)
    config["disable_primary_gateway_fallback"] = True
    with open(server.config_path, "w") as file:
        json.dump(config, file, indent=2)
    server.stop()
    server.start()
    world.heals("F7, dc3 never goes directly any more")
    road.close()
    world.heals("F7, direct path of dc3 closed")
    server.kill()
    tries = road.tries
    server.start()
    world.heals("F7, its server killed and started")
    if road.tries != tries:
        raise Failure(f"F7: the closed path was tried {road.tries - tries} "
                      "times")
    lost = world.lose_gateways("dc3")
    for place in world.spare("dc3", lost):
        world.new_gateway("dc3", place)
    world.deregister("dc3", lost)
    world.heals("F7, and all its gateways replaced")
    if road.tries != tries:
        raise Failure("F7: the closed path was tried when gateways changed")


def f12(world):
    """Records are put from dc2 while the leader of dc1 dies."""
    dc1, asked = world.federation.servers["dc1"], world.first("dc2")
    victim, taken = None, []
    for number in range(12):
        if number == 4:
            victim = world.wait("a leader of dc1", lambda: leading(dc1))
            victim.kill()
        name = f"site{number}"
        if asked.place.http(
                "PUT", f"/v1/internal/federation-state/{name}",
                json.dumps({"Gateways": [f"203.0.113.{number + 1}"]}),
                timeout=40)[0] == 200:
            taken.append(name)
    victim.start()
    world.heals("F12, leader of dc1 killed under writes")
    for dc in world.gateways:
        world.wait(f"all acknowledged records in {dc}", lambda d=dc: set(
            taken) <= set(states(world.first(d)) or {}), 30)
    if len(taken) < 11:
        raise Failure(f"F12: only {len(taken)} of 12 records were taken")
    world.steps.say(f"F12: {len(taken)} of 12 records acknowledged, all in "
                    "every datacenter")
    for name in taken:
        asked.place.http("DELETE", f"/v1/internal/federation-state/{name}")


def f13(world):
    """dc3's servers die, its gateways live on and take connections."""
    server = world.first("dc3")
    server.kill()
    began = time.monotonic()
    others = [s for s in world.federation.all_servers() if s is not server]
    world.wait("all others to see dc3's server as failed",
               lambda: all("server1.dc3" not in alive_wan(other)
                           for other in others), SUSPICION_S)
    world.steps.say("F13: dead datacenter behind living gateways seen as "
                    f"failed in {time.monotonic() - began:.2f} s")
    server.start()
    world.heals("F13, dc3 is back")


FAILURES = (f6, f1, f2, f5, f12, f13, f7)  # f7 closes a road for good


def run(world, wanted):
    passed = 0
    for failure in FAILURES:
        if failure is f6 or not wanted or failure.__name__ in wanted:
            failure(world)
            passed += 1
    counts = world.link.counts()
    world.steps.say("the WAN: " + ", ".join(f"{value} {key}" for key, value
                                            in counts.items()))
    for key in ("passed", "lost", "reordered"):
        if counts[key] == 0:
            raise Failure(f"the WAN link shows no packet {key}")
    return passed


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", default="build/bin/isthmus")
    parser.add_argument("--wanlink", default="build/bin/wanlink")
    parser.add_argument("--seed", type=int,
                        default=int(os.environ.get("SEED", "1")))
    parser.add_argument("failures", nargs="*")
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("netns: making network namespaces needs root", file=sys.stderr)
        return 1
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    steps, world, passed = demo.Steps(), None, 0
    try:
        world = World(options, steps)
        steps.say(f"seed {options.seed}: dc2 and dc3 have the same addresses; "
                  "the WAN has delay, jitter, loss and reordering")
        passed = run(world, [name.lower() for name in options.failures])
        print(f"{passed} passed, 0 failed")
    except (NoNamespaces, Failure, OSError) as failure:
        logs = (f"\nlogs: {world.federation.folder}"
                if world and world.federation else "")
        print(f"netns failed: {failure}{logs}", file=sys.stderr)
    finally:
        if world:
            world.close(passed > 0)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
