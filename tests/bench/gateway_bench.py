#!/usr/bin/env python3
"""What a gateway costs: the built-in one, HAProxy and nginx with the
configurations that we render for them (their logs switched off), and no gateway
at all, between the same TLS clients and servers, on this machine, in one run.

Each figure is measured of all in turns, so that what else the machine does
falls on all alike. conn/s: new TLS connections, 32 at once; us/conn, s/GiB: the
gateway's processor time; MiB/s with 1 and 16 connections; trip: 256 B there and
back, median; KiB of 8,000 idle. In brackets: over that of no gateway.
"""
import argparse
import collections
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../daemon/data"))
from gateway_run import Agent, free_port, server, until  # noqa: E402

DOMAIN = "server.dc1.example.org"
TICKS = os.sysconf("SC_CLK_TCK")
IDLE = 8000


class Load:
    """The ends of the measured connections: see gateway_bench.c."""

    def __init__(self, program, folder):
        self.program = program
        cert, key = folder + "/cert.pem", folder + "/key.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out",
             cert, "-subj", "/CN=bench", "-days", "2"], check=True,
            stderr=subprocess.DEVNULL)
        self.tls, self.tls_port = self._serve("serve", cert, key)
        self.hold, self.hold_port = self._serve("hold")

    def _serve(self, *words):
        process = subprocess.Popen([self.program, *words], text=True,
                                   stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE)
        return process, int(process.stdout.readline())

    def run(self, mode, subject, count, last):
        """(figure, how many) from a client."""
        done = subprocess.run(
            [self.program, mode, *subject.at(self.tls_port), f"tls.{DOMAIN}",
             str(count), str(last)], stdout=subprocess.PIPE, text=True,
            check=True)
        figure, total = done.stdout.split()
        return float(figure), int(total)

    def stop(self):
        for process in (self.tls, self.hold):
            process.stdin.close()
            process.wait()


class Direct:
    """No gateway."""
    name = "direct"

    def at(self, port):
        return "127.0.0.1", str(port)

    def start(self):
        pass

    def stop(self):
        pass

    def seconds(self):
        return 0.0

    def kib(self):
        return 0


class Subject(Direct):
    """A gateway; its processes are those of its process group."""

    def __init__(self, name, number, isthmus, agent_port, folder, flags=()):
        self.name, self.isthmus, self.folder = name, isthmus, folder
        self.agent_port, self.ip = agent_port, f"127.0.{number}.1"
        self.config = f"{folder}/{number}.conf"
        self.flags = flags

    def at(self, _):
        return self.ip, "8443"

    def _gateway(self, *more):
        return [self.isthmus, "gateway", "-expose-servers",
                f"-address={self.ip}:8443", f"-wan-address={self.ip}:8443",
                f"-http-addr=127.0.0.1:{self.agent_port}", "-token=secret",
                *more]

    def command(self):
        return self._gateway(f"-admin-addr={self.ip}:8444", *self.flags)

    def quiet(self, text):
        return text

    def _render(self, kind):
        text = subprocess.run(self._gateway(f"-{kind}"), check=True, text=True,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL).stdout
        with open(self.config, "w") as file:
            file.write(self.quiet(text))

    def _answers(self):
        import socket
        try:
            socket.create_connection((self.ip, 8443), 1).close()
            return True
        except OSError:
            return False

    def start(self):
        command = self.command()
        with open(f"{self.config}.log", "wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log,
                                            start_new_session=True)
        until(f"{self.name} to listen", self._answers)
        time.sleep(0.5)    # routes of the built-in one, workers of the others

    def stop(self):
        os.killpg(self.process.pid, 15)
        self.process.wait()

    def _pids(self):
        own = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.getpgid(int(pid)) == self.process.pid:
                    own.append(pid)
            except ProcessLookupError:
                pass
        return own

    def seconds(self):
        """Processor time so far."""
        total = 0
        for pid in self._pids():
            with open(f"/proc/{pid}/stat") as file:
                fields = file.read().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        return total / TICKS

    def kib(self):
        """Memory of its own (a share of what processes share)."""
        total = 0
        for pid in self._pids():
            with open(f"/proc/{pid}/smaps_rollup") as file:
                total += int(re.search(r"^Pss:\s+(\d+)", file.read(),
                                       re.M).group(1))
        return total


class HAProxy(Subject):
    def command(self):
        self._render("haproxy")
        return ["haproxy", "-db", "-f", self.config]

    def quiet(self, text):
        return (text.replace("    log global\n", "")
                .replace("maxconn 4096", "maxconn 9000"))


class HAProxySplice(HAProxy):
    def quiet(self, text):
        return super().quiet(text).replace("    mode tcp\n",
                                           "    mode tcp\n"
                                           "    option splice-auto\n",
                                           1).replace(
            "global\n", "global\n    maxpipes 500\n", 1)


class Nginx(Subject):
    def command(self):
        self._render("nginx")
        return ["nginx", "-c", self.config, "-g", "daemon off;"]

    def quiet(self, text):
        text = re.sub("access_log .*;", "access_log off;", text)
        text = re.sub("error_log .*;", "error_log /dev/null crit;", text)
        text = text.replace("worker_connections 8192", "worker_connections 19000")
        return text.replace("worker_rlimit_nofile 16384",
                            "worker_rlimit_nofile 20000") + \
            f"pid {self.config}.pid;\n"


def idle_kib(load, subject):
    """KiB of the subject for one of many connections that say nothing."""
    before = subject.kib()
    client = subprocess.Popen(
        [load.program, "idle", *subject.at(load.hold_port), f"hold.{DOMAIN}",
         str(IDLE)], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    if client.stdout.readline() != "open\n":
        raise SystemExit(f"{subject.name}: not all idle connections opened")
    time.sleep(1)
    after = subject.kib()
    client.stdin.close()
    client.wait()
    time.sleep(0.5)    # until it has let them go
    return (after - before) / IDLE


def measure_rate(load, subject, seconds):
    cpu = subject.seconds()
    rate, total = load.run("rate", subject, 32, seconds)
    return {"rate": rate,
            "us_conn": (subject.seconds() - cpu) / total * 1e6}


def measure_flow(count):
    def measure(load, subject, seconds):
        cpu = subject.seconds()
        flow, total = load.run("flow", subject, count, seconds)
        return {f"flow{count}": flow,
                f"cpu{count}": (subject.seconds() - cpu) / (total / 2**30)}
    return measure


def measure_trip(load, subject, seconds):
    return {"trip": load.run("trip", subject, 1, 10000)[0]}


def measure_idle(load, subject, seconds):
    return {"idle": 0 if subject.name == "direct" else
            idle_kib(load, subject)}


FIGURES = {"rate": measure_rate, "flow1": measure_flow(1),
           "flow16": measure_flow(16), "trip": measure_trip,
           "idle": measure_idle}
COLUMNS = (("rate", "conn/s", "{:,.0f}"), ("us_conn", "us/conn", "{:.0f}"),
           ("flow1", "MiB/s 1", "{:,.0f}"), ("cpu1", "s/GiB 1", "{:.2f}"),
           ("flow16", "MiB/s 16", "{:,.0f}"), ("cpu16", "s/GiB 16", "{:.2f}"),
           ("trip", "trip us", "{:.1f}"), ("idle", "KiB/idle", "{:.1f}"))


def measure_all(load, subjects, words):
    """Each figure of all subjects in turns; the median of its rounds. How much
    memory is idle is asked once: only a fresh process has an answer."""
    seen = {s.name: collections.defaultdict(list) for s in subjects}
    for figure in sorted(words.figures, key=lambda f: f != "idle"):
        for _ in range(1 if figure == "idle" else words.rounds):
            for subject in subjects:
                found = FIGURES[figure](load, subject, words.seconds)
                for key, value in found.items():
                    seen[subject.name][key].append(value)
    return {name: {key: statistics.median(values)
                   for key, values in row.items()}
            for name, row in seen.items()}


def table(rows):
    direct = rows.get("direct", {})
    columns = [c for c in COLUMNS if any(c[0] in row for row in rows.values())]
    print("| gateway | " + " | ".join(c[1] for c in columns) + " |")
    print("| --- |" + " --: |" * len(columns))
    for name, row in rows.items():
        cells = []
        for key, _, form in columns:
            text = form.format(row[key])
            if name != "direct" and direct.get(key):
                text += f" ({row[key] / direct[key]:.2f})"
            cells.append("-" if name == "direct" and not row[key] else text)
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


def make_subjects(words, agent_port, folder):
    kinds = [(Subject, "built-in", words.isthmus, ()),
             (HAProxy, "haproxy", "haproxy", ()),
             (HAProxySplice, "haproxy splice", "haproxy", ()),
             (Nginx, "nginx", "nginx", ())]
    kinds += [(Subject, f"other {i}", other, ())
              for i, other in enumerate(words.other, 1)]
    kinds += [(Subject, "built-in " + flag, words.isthmus, (flag,))
              for flag in words.flag]
    subjects = [Direct()]
    for number, (kind, name, binary, flags) in enumerate(kinds, 1):
        if shutil.which(binary):
            own = binary if kind is Subject else words.isthmus
            subjects.append(kind(name, number, own, agent_port, folder, flags))
    only = words.only.split(",") if words.only else None
    return [s for s in subjects if only is None or s.name in only]


def parse():
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("isthmus")
    words.add_argument("program", help="gateway-bench")
    words.add_argument("-seconds", type=float, default=1.5,
                       help="of one measurement")
    words.add_argument("-rounds", type=int, default=3)
    words.add_argument("-figures", type=lambda text: text.split(","),
                       default=list(FIGURES), help=",".join(FIGURES))
    words.add_argument("-only", help="names of gateways, with commas")
    words.add_argument("-other", action="append", default=[],
                       help="another build of isthmus, in the same run")
    words.add_argument("-flag", action="append", default=[],
                       help="the built-in one once more, with that flag")
    return words.parse_args()


def main():
    words = parse()
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        load = Load(words.program, folder)
        agent_port = free_port()
        agent = Agent(agent_port)
        agent.http.handle_error = lambda *_: None    # of gateways that ended
        agent.change(servers=[server("tls", load.tls_port),
                              server("hold", load.hold_port)], sites={})
        subjects = make_subjects(words, agent_port, folder)
        started = []
        try:
            for subject in subjects:
                subject.start()
                started.append(subject)
            table(measure_all(load, subjects, words))
        finally:
            for subject in started:
                subject.stop()
            load.stop()


if __name__ == "__main__":
    main()
