#!/usr/bin/env python3
"""libraft beside canonical/raft, hashicorp/raft and etcd's raft: the same load
by the same rules, in turns, so that a disk that changes its mind meets all of
them. Prints the median of each as one markdown table.

    run.py BUILD [--rounds 3] [--seconds 5] [--rows 128:1,128:64,...]

Needs Debian's libraft-dev, libuv1-dev and liblz4-dev, and Go. What they are and
how each is set up stands at the top of each peer's source.
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROWS = "128:1,128:16,128:64,128:256,4096:1,4096:64"


def build_canonical(folder):
    out = os.path.join(folder, "canonical")
    subprocess.run(
        [os.environ.get("CC", "gcc"), "-O2", "-std=c11", "-D_GNU_SOURCE",
         "-o", out, os.path.join(HERE, "canonical/canonical.c"),
         os.path.join(HERE, "../raft_load.c"), "-lraft", "-luv", "-llz4"],
        check=True)
    return out


def build_go(folder, name):
    out = os.path.join(folder, name)
    go = shutil.which("go") or "/usr/local/go/bin/go"
    subprocess.run([go, "build", "-o", out, "./" + name], cwd=HERE, check=True)
    return out


def build(folder):
    """Programs by name; a peer that cannot be built is left out, aloud."""
    os.makedirs(folder, exist_ok=True)
    programs = {"isthmus": os.path.join(folder, "../bin/raft-bench")}
    for name, how in (("canonical", lambda: build_canonical(folder)),
                      ("hashicorp", lambda: build_go(folder, "hashicorp")),
                      ("etcd", lambda: build_go(folder, "etcd"))):
        try:
            programs[name] = how()
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"without {name}: {error}", file=sys.stderr)
    return programs


def measure(program, size, proposers, seconds):
    run = subprocess.run(
        [program, "-size", str(size), "-proposers", str(proposers),
         "-seconds", str(seconds), "-json"],
        stdout=subprocess.PIPE, timeout=seconds + 60, check=True)
    return json.loads(run.stdout)


def median(runs):
    return {key: statistics.median(run[key] for run in runs)
            for key in runs[0] if key not in ("library",)}


def print_row(size, proposers, name, result, ours):
    ratio = ours["commits_per_s"] / result["commits_per_s"]
    print(f"| {size} | {proposers} | {name} | {result['commits_per_s']:,.0f}"
          f" | {ratio:.2f} | {result['p50_us']:,.0f} | {result['p99_us']:,.0f}"
          f" | {result['leader_rss_kib'] / 1024:,.0f}"
          f" | {result['written_per_commit']:,.0f} |", flush=True)


def print_rows(programs, size, proposers, options):
    runs = {name: [] for name in programs}
    for _ in range(options.rounds):
        for name, program in programs.items():
            runs[name].append(
                measure(program, size, proposers, options.seconds))
    medians = {name: median(those) for name, those in runs.items()}
    ours = medians["isthmus"]
    for name, result in medians.items():
        print_row(size, proposers, name, result, ours)
    print(f"| {size} | {proposers} | (SQLite alone, each of three)"
          f" | {ours['sqlite_rows_per_s']:,.0f}"
          f" | {ours['commits_per_s'] / ours['sqlite_rows_per_s']:.2f}"
          f" | {ours['sqlite_p50_us']:,.0f} | {ours['sqlite_p99_us']:,.0f}"
          f" | | |", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rows", default=ROWS)
    options = parser.parse_args()
    programs = build(os.path.abspath(os.path.join(options.build, "peers")))
    print("| B | proposers | library | commits/s | ours to it | p50 us |"
          " p99 us | leader MiB | B written |")
    print("| --: | --: | --- | --: | --: | --: | --: | --: | --: |")
    for row in options.rows.split(","):
        size, proposers = (int(part) for part in row.split(":"))
        print_rows(programs, size, proposers, options)


if __name__ == "__main__":
    main()
