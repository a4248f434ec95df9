#!/usr/bin/env python3
"""librpc beside Go's net/rpc with msgpack over yamux and TLS: the same load by
the same rules, in turns. Prints the median of each as one markdown table.

    rpc.py BUILD [--rounds 3] [--seconds 2]

Needs Go. How each is set up stands at the top of its source.
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
ROWS = [(f"{flight} in flight", ["-flight", str(flight)])
        for flight in (1, 16, 256)]
ROWS += [("a connection each", ["-connections", "full"]),
         ("a connection each, resumed", ["-connections", "resumed"])]


def build_peer(folder):
    out = os.path.join(folder, "peers/rpc")
    os.makedirs(os.path.dirname(out), exist_ok=True)
    go = shutil.which("go") or "/usr/local/go/bin/go"
    subprocess.run([go, "build", "-o", out, "./rpc"], cwd=HERE, check=True)
    return out


def measure(program, arguments, seconds):
    run = subprocess.run([program, "-json", "-seconds", str(seconds),
                          *arguments], stdout=subprocess.PIPE,
                         timeout=seconds + 60, check=True)
    return json.loads(run.stdout)


def print_row(what, programs, arguments, options):
    runs = {name: [] for name in programs}
    for _ in range(options.rounds):
        for name, program in programs.items():
            runs[name].append(measure(program, arguments, options.seconds))
    medians = {name: {key: statistics.median(run[key] for run in those)
                      for key in ("per_s", "p50_us", "p99_us", "cpu_us")}
               for name, those in runs.items()}
    for name, result in medians.items():
        ratio = medians["isthmus"]["per_s"] / result["per_s"]
        print(f"| {what} | {name} | {result['per_s']:,.0f} | {ratio:.2f}"
              f" | {result['p50_us']:,.0f} | {result['p99_us']:,.0f}"
              f" | {result['cpu_us']:,.1f} |", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2)
    options = parser.parse_args()
    folder = os.path.abspath(options.build)
    programs = {"isthmus": os.path.join(folder, "bin/rpc-bench"),
                "Go": build_peer(folder)}
    print("| calls, 100 B there and back | | a second | ours to it | p50 us |"
          " p99 us | us of processor each |")
    print("| --- | --- | --: | --: | --: | --: | --: |")
    for what, arguments in ROWS:
        print_row(what, programs, arguments, options)


if __name__ == "__main__":
    main()
