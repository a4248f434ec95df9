#!/usr/bin/env python3
"""The demo's steps where the kernel itself keeps datacenters apart (root)."""
import argparse
import os
import sys

from network import NamespacePlace, Network  # puts demo/ on the path
from demo import SERVERS, Steps, call_across, form, kill_leader, replace_gateway, table
from federation import SERVER, Failure, Federation


def check_apart(network):
    """No server can reach a server of another datacenter, and each its own:
    else the probe proves nothing."""
    places = network.places()
    for dc, here in places.items():
        server = here["servers"][0]
        if not server.can_reach(server.lan, SERVER):
            raise Failure(f"{dc} does not reach its own server")
        for other, there in places.items():
            if dc != other and server.can_reach(there["servers"][0].lan,
                                                SERVER):
                raise Failure(f"{dc} reaches {other} past the gateways")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", default="build/bin/isthmus")
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("netns: network namespaces need root", file=sys.stderr)
        return 1
    steps = Steps()
    network = Network(SERVERS)
    federation = None
    try:
        network.make()
        steps.say("three datacenters are three networks")
        federation = Federation(options.binary, network.places())
        form(federation, steps)
        check_apart(network)
        steps.say("no server reaches a server of another datacenter")
        call_across(federation, steps)
        replace_gateway(federation, steps, NamespacePlace(
            "isth-gw2", "10.2.0.20", "198.18.0.21"))
        kill_leader(federation, steps)
        table(federation)
        print("1 passed, 0 failed")
        return 0
    except Failure as failure:
        logs = f" (logs: {federation.folder})" if federation else ""
        print(f"netns failed: {failure}{logs}", file=sys.stderr)
        return 1
    finally:
        if federation:
            federation.stop()
        network.remove()


if __name__ == "__main__":
    sys.exit(main())
