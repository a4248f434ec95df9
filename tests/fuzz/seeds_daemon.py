"""Writes seeds of the daemon's fuzz targets: what clients really send."""
import json
import os
import sys

CHECKS = [
    {"TTL": "30s", "Name": "alive", "Status": "passing", "Notes": "hm"},
    {"HTTP": "https://[::1]:8443/health?full", "Interval": "1m30s",
     "Timeout": "250ms", "Method": "POST", "TLSSkipVerify": True,
     "Header": {"Host": ["a.example"], "X": ["b", "c"]},
     "SuccessBeforePassing": 3, "FailuresBeforeCritical": 2,
     "DeregisterCriticalServiceAfter": "1h"},
    {"tcp": "localhost:80", "interval": "10s", "id": "c1",
     "service_id": "web", "name": "port", "CheckID": None},
    {"Args": ["/bin/true"], "Interval": "10s"},
    {"TTL": "1us", "Interval": "2ns", "Header": {"a b": [1]}},
]
SERVICES = [
    {"Name": "web", "ID": "web-1", "Port": 80, "Tags": ["a", "b"],
     "Meta": {"k": "v"}, "Address": "10.0.0.1", "Checks": CHECKS[:3],
     "TaggedAddresses": {"lan": {"Address": "10.0.0.1", "Port": 80}}},
    {"Service": "gw", "Kind": "mesh-gateway", "Port": 8443,
     "Check": CHECKS[0]},
    {"Name": "x", "Tags": [1]}, {"Name": "x", "Port": -1}, {"Name": "x",
     "Meta": {"k": 1}, "Check": []}, {}, {"Name": "x", "Port": 1.5},
    {"Name": "x", "TaggedAddresses": {"lan": "y"}},
]
PATHS = [
    "/v1/catalog/nodes?index=7&wait=1m30s&stale&pretty=1&near=_agent",
    "/v1/health/service/web%2F1?passing=true&tag=a&tag=b&dc=dc2",
    "/v1/agent/check/pass/service:web?note=all+is%20well&token=x",
    "/v1/operator/keyring?relay-factor=3", "/v1/health/node",
    "/v1/status/leader?consistent=f&wait=2h&index=x", "/?a=%zz&&=",
    "/v1/kv/x?wait=5us&stale=0&consistent=maybe", "/?stale&consistent",
    "/?" + "&".join("abcdefghijklmnopqrstuvwxyz" * 3),
]


def main(folder):
    bodies = [json.dumps(one) for one in CHECKS + SERVICES] + ["{\n", "[]", ""]
    for target, texts in (("http_body", bodies), ("http_path", PATHS)):
        os.makedirs(os.path.join(folder, target), exist_ok=True)
        for number, text in enumerate(texts):
            with open(os.path.join(folder, target, f"{number:02}"),
                      "w") as file:
                file.write(text)


if __name__ == "__main__":
    main(sys.argv[1])
