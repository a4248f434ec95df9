"""A real Envoy as a gateway, as an operator starts it: our bootstrap, then
Envoy with it, and beside them our process that registers and tests it."""
import http.client
import json
import os
import shlex
import urllib.parse

from lab import GATEWAY
import federation
from federation import ADMIN, HTTP

# Both are of one process group, and Envoy does not outlive the other.
BOTH = """
set -e
{isthmus} gateway -envoy -bootstrap {flags} -admin-addr {admin} >bootstrap.json
setpriv --pdeathsig KILL {envoy} -c bootstrap.json --use-dynamic-base-id --concurrency 1 --log-level warn &
exec {isthmus} gateway -envoy -register {exposes} {flags}
"""


class Envoy(federation.Gateway):
    exposes = "-expose-servers"

    def command(self):
        flags = ["-service-id", self.name,
                 "-http-addr", f"{self.agent.place.lan}:{HTTP}",
                 "-address", f"{self.place.lan}:{GATEWAY}",
                 "-wan-address", f"{self.place.wan}:{GATEWAY}",
                 "-wan-bind", f"{self.place.wan}:{GATEWAY}"]
        script = BOTH.format(
            isthmus=shlex.quote(self.federation.binary),
            envoy=shlex.quote(os.environ["ENVOY"]),
            flags=shlex.join(flags), exposes=self.exposes,
            admin=f"{self.place.lan}:{ADMIN}")
        return ["sh", "-c", f"cd {shlex.quote(self.folder)}\n{script}"]

    def log(self):
        with open(self.log_path, errors="replace") as log:
            return log.read()

    def page(self, path):
        """A page of Envoy's own; None while it is not there."""
        try:
            status, _, body = self.place.http("GET", path, port=ADMIN)
        except (OSError, http.client.HTTPException):
            return None
        return body.decode() if status == 200 else None

    def stats(self, pattern):
        """{name: number} of those that the pattern fits."""
        page = self.page("/stats?format=json&filter="
                         + urllib.parse.quote(pattern))
        return {one["name"]: one["value"]
                for one in json.loads(page)["stats"]
                if "value" in one} if page else {}

    def connections_for(self, name):
        """Joined ones, by cluster: a foreign datacenter is one."""
        dc = name.split(".")[-2]
        cluster = name if dc == self.dc else name[name.index(".") + 1:]
        return sum(self.stats(
            rf"^cluster\.{cluster}\.upstream_cx_total$").values())

    def dump(self, part):
        """The configs of one kind: ClustersConfigDump and so on."""
        page = self.page("/config_dump?include_eds")
        return next((config for config in json.loads(page)["configs"]
                     if config["@type"].endswith("." + part)), {})

    def endpoints(self):
        """{cluster: [address]} as /clusters has them, but for the agent."""
        found = {}
        for status in json.loads(self.page("/clusters?format=json")
                                 )["cluster_statuses"]:
            at = found.setdefault(status["name"], [])
            for host in status.get("host_statuses", []):
                address = host["address"]["socket_address"]
                at.append(f"{address['address']}:{address['port_value']}")
        found.pop("isthmus_agent", None)
        return {name: sorted(at) for name, at in found.items()}

    def rejected(self):
        """What it did not take, of any kind, since it began."""
        return {name: count
                for name, count in self.stats("update_rejected").items()
                if count}

    def not_warm(self):
        """What is not in use, of clusters and listeners."""
        clusters = self.dump("ClustersConfigDump")
        listeners = self.dump("ListenersConfigDump")
        wrong = [cluster["cluster"]["name"]
                 for cluster in clusters.get("dynamic_warming_clusters", [])]
        for listener in listeners.get("dynamic_listeners", []):
            if (set(listener) & {"warming_state", "error_state"}
                    or "active_state" not in listener):
                wrong.append(listener["name"])
        return wrong

    def server_names(self):
        """Those of the filter chains, each listener's."""
        return {
            listener["name"]: sorted(
                name for chain in
                listener["active_state"]["listener"]["filter_chains"]
                for name in chain.get("filter_chain_match", {}).get(
                    "server_names", []))
            for listener in self.dump("ListenersConfigDump").get(
                "dynamic_listeners", []) if "active_state" in listener}
