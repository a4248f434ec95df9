#!/usr/bin/env python3
"""What a gateway costs: the built-in one, HAProxy and nginx with the
configurations that we render for them (their logs switched off), and no gateway
at all, between the same TLS clients and servers, on this machine, in one run.

usage: gateway_bench.py PATH_OF_ISTHMUS PATH_OF_GATEWAY_BENCH [SECONDS [OTHER_ISTHMUS]...]
"""
import os
import re
import shutil
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

    def __init__(self, name, number, isthmus, agent_port, folder):
        self.name, self.isthmus, self.folder = name, isthmus, folder
        self.agent_port, self.ip = agent_port, f"127.0.{number}.1"
        self.config = f"{folder}/{name}.conf"

    def at(self, _):
        return self.ip, "8443"

    def _gateway(self, *more):
        return [self.isthmus, "gateway", "-expose-servers",
                f"-address={self.ip}:8443", f"-wan-address={self.ip}:8443",
                f"-http-addr=127.0.0.1:{self.agent_port}", "-token=secret",
                *more]

    def command(self):
        return self._gateway(f"-admin-addr={self.ip}:8444")

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
        with open(f"{self.folder}/{self.name}.log", "wb") as log:
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
    time.sleep(2)
    after = subject.kib()
    client.stdin.close()
    client.wait()
    return (after - before) / IDLE


def measure(load, subject, seconds):
    row = {}
    subject.start()
    try:
        cpu = subject.seconds()
        row["rate"], total = load.run("rate", subject, 32, seconds)
        row["us_conn"] = (subject.seconds() - cpu) / total * 1e6
        for count in (1, 16):
            cpu = subject.seconds()
            row[f"flow{count}"], total = load.run("flow", subject, count,
                                                  seconds)
            row[f"cpu{count}"] = (subject.seconds() - cpu) / (total / 2**30)
        row["trip"], _ = load.run("trip", subject, 1, 10000)
        row["idle"] = 0 if subject.name == "direct" else idle_kib(load,
                                                                  subject)
    finally:
        subject.stop()
    return row


COLUMNS = (("rate", "conn/s", "{:,.0f}"), ("us_conn", "us/conn", "{:.0f}"),
           ("flow1", "MiB/s 1", "{:,.0f}"), ("cpu1", "s/GiB 1", "{:.2f}"),
           ("flow16", "MiB/s 16", "{:,.0f}"), ("cpu16", "s/GiB 16", "{:.2f}"),
           ("trip", "trip us", "{:.1f}"), ("idle", "KiB/idle", "{:.1f}"))


def table(rows):
    print("conn/s: new TLS connections, 32 at once; us/conn, s/GiB: the "
          "gateway's processor time;\nMiB/s with 1 and 16 connections; trip: "
          f"256 B there and back, median; KiB of {IDLE:,} idle.\n"
          "In brackets: over that of no gateway.\n")
    print("| gateway | " + " | ".join(c[1] for c in COLUMNS) + " |")
    print("| --- |" + " --: |" * len(COLUMNS))
    direct = rows["direct"]
    for name, row in rows.items():
        cells = []
        for key, _, form in COLUMNS:
            text = form.format(row[key])
            if name != "direct" and direct[key] > 0:
                text += f" ({row[key] / direct[key]:.2f})"
            cells.append("-" if name == "direct" and not row[key] else text)
        print(f"| {name} | " + " | ".join(cells) + " |")


def main(isthmus, program, seconds="3", *others):
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        load = Load(program, folder)
        agent_port = free_port()
        agent = Agent(agent_port)
        agent.http.handle_error = lambda *_: None    # of gateways that ended
        agent.change(servers=[server("tls", load.tls_port),
                              server("hold", load.hold_port)], sites={})
        subjects = [Direct()]
        for number, (kind, name, binary) in enumerate((
                (Subject, "built-in", isthmus),
                (HAProxy, "haproxy", "haproxy"),
                (HAProxySplice, "haproxy splice", "haproxy"),
                (Nginx, "nginx", "nginx"),
                *((Subject, f"other {i}", other)
                  for i, other in enumerate(others, 1))), 1):
            if shutil.which(binary):
                own = binary if kind is Subject else isthmus
                subjects.append(kind(name, number, own, agent_port, folder))
        try:
            table({subject.name: measure(load, subject, float(seconds))
                   for subject in subjects})
        finally:
            load.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
