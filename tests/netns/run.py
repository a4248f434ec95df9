#!/usr/bin/env python3
"""The demo's steps where it counts: each host is a network namespace, each
datacenter a network of its own, and only gateways have a second interface, on
the one network that is common to all. Needs root.

A secondary's first contact needs a road from its servers to the primary's
gateway: it goes through their own gateway host, and is closed once the
federation stands. From then on no server has any route out of its datacenter.
"""
import argparse
import errno
import os
import signal
import sys
import time

from network import Network, NoNamespaces

import demo
from federation import SERVER, Failure, Federation, alive_wan

WAN = "198.51.100"


def build(network):
    """The places of three datacenters, and a host for dc2's next gateway."""
    wan = network.switch("wan")
    places = {}
    for number, dc in enumerate(demo.DATACENTERS, 1):
        lan = network.switch(f"{dc}-lan")
        net = f"10.{number}.0"
        places[dc] = {
            "servers": [network.host(f"{dc}-server{i + 1}", f"{net}.{i + 1}",
                                     lan) for i in range(demo.SERVERS[dc])],
            "gateway": network.host(f"{dc}-gateway", f"{net}.10", lan,
                                    f"{WAN}.{number}0", wan)}
        if dc == "dc2":
            spare = network.host(f"{dc}-gateway-new", f"{net}.20", lan,
                                 f"{WAN}.{number}1", wan)
    return places, spare


def first_road(places, verb):
    """Opens ("add") or closes ("del") the way of servers of secondaries to
    the primary's gateway host."""
    primary = places["dc1"]["gateway"]
    for number, dc in enumerate(demo.DATACENTERS, 1):
        if dc == "dc1":
            continue
        gateway = places[dc]["gateway"]
        gateway.forward(verb == "add")
        primary.route(verb, f"10.{number}.0.0/24", "via", gateway.wan)
        for server in places[dc]["servers"]:
            server.route(verb, f"{primary.wan}/32", "via", gateway.lan)


def no_way(places, targets, steps, who):
    """From no server of a datacenter can those addresses elsewhere be
    reached."""
    tries = 0
    for dc, here in places.items():
        for server in here["servers"]:
            for other, addresses in targets.items():
                for address in addresses if other != dc else ():
                    tries += 1
                    try:
                        server.connect((address, SERVER), 2).close()
                    except OSError as error:
                        if error.errno == errno.ENETUNREACH:
                            continue
                        raise Failure(f"{server.lan} to {address}: {error}")
                    raise Failure(f"{server.lan} reached {address}")
    steps.say(f"no server has a route to {who} of another datacenter "
              f"({tries} tries)")


def at_home(federation, places, steps):
    """Once the federation stands no server talks to a foreign address: the
    first contact's connections have moved to the own gateways."""
    for dc, here in places.items():
        home = here["servers"][0].lan.rsplit(".", 1)[0] + "."
        for server in here["servers"]:
            federation.wait(
                f"{server.lan} to leave the primary's gateway",
                lambda s=server, h=home: all(
                    peer.startswith(h) for peer in s.peers()))
    steps.say("no server has a connection out of its datacenter's network")


def settle(federation, steps):
    """Every datacenter answers every other, through both their gateways."""
    began = time.monotonic()
    names = {f"{s.name}.{s.dc}" for s in federation.all_servers()}
    for server in federation.all_servers():
        for dc in demo.DATACENTERS:
            federation.wait(
                f"{server.name} of {server.dc} to reach {dc}",
                lambda s=server, d=dc: s.get(f"/v1/catalog/nodes?dc={d}",
                                             timeout=3), 90)
        federation.wait(f"{server.name} of {server.dc} to see all alive",
                        lambda s=server: alive_wan(s) == names, 90)
    steps.say("the first road is closed; all servers reach all datacenters "
              f"again after {time.monotonic() - began:.2f} s")


def show(federation, places, spare, steps):
    servers = {dc: [place.lan for place in here["servers"]]
               for dc, here in places.items()}
    gateways = {dc: [here["gateway"].lan, here["gateway"].wan]
                for dc, here in places.items()}
    first_road(places, "add")
    demo.form(federation, steps)
    no_way(places, servers, steps, "a server")
    at_home(federation, places, steps)
    first_road(places, "del")
    no_way(places, gateways, steps, "a gateway")
    demo.call_across(federation, steps)
    settle(federation, steps)
    demo.replace_gateway(federation, steps, spare)
    demo.kill_leader(federation, steps)
    demo.table(federation)
    print("1 passed, 0 failed")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", default="build/bin/isthmus")
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("netns: making network namespaces needs root", file=sys.stderr)
        return 1
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    steps = demo.Steps()
    network = federation = None
    good = False
    try:
        network = Network()
        places, spare = build(network)
        steps.say("three datacenters of namespaces, and the network of their "
                  "gateways")
        federation = Federation(options.binary, places)
        show(federation, places, spare, steps)
        good = True
    except NoNamespaces as why:
        print("netns: this kernel or container does not let us make network "
              f"namespaces: {why}", file=sys.stderr)
    except (Failure, OSError) as failure:
        logs = f"\nlogs: {federation.folder}" if federation else ""
        print(f"netns failed: {failure}{logs}", file=sys.stderr)
    finally:
        if federation:
            federation.stop()
            if good:
                federation.remove()
        if network:
            network.close()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
