"""One plain datacenter of live agents, servers and clients, on addresses of
127.<network>.0.0/16; for tests of the HTTP API and of client agents.
"""
import os
import shutil
import tempfile
import types
import unittest

from lab import Failure, Place, binary, wait
from federation import Server, leader


class Agents(unittest.TestCase):
    """Tests that share servers s1.. and clients c1.., in order of name."""

    network, server_count, client_count = 71, 1, 1
    settings = {}

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="isthmus-")
        cls.addClassCleanup(cls._clean)
        cls.servers = [cls._agent(f"s{i + 1}", i + 1)
                       for i in range(cls.server_count)]
        cls.clients = [cls._agent(f"c{i + 1}", 100 + i)
                       for i in range(cls.client_count)]
        for agent in cls.servers + cls.clients:
            agent.start()
        cls.wait_for("a leader, by every agent's word",
                     lambda: all(leader(agent)
                                 for agent in cls.servers + cls.clients))

    @classmethod
    def _agent(cls, name, number):
        place = Place(f"127.{cls.network}.0.{number}")
        is_server = name.startswith("s")
        config = {
            "node_name": name, "server": is_server, "bind_addr": place.lan,
            "client_addr": place.lan, "retry_interval": "1s",
            "data_dir": os.path.join(cls.folder, "dc1", name, "data"),
            "retry_join": [f"127.{cls.network}.0.{i + 1}"
                           for i in range(cls.server_count)],
            "leave_on_terminate": False,
        }
        if is_server:
            config["bootstrap_expect"] = cls.server_count
        home = types.SimpleNamespace(folder=cls.folder, binary=binary())
        return Server(home, name, "dc1", place, {**config, **cls.settings})

    @classmethod
    def wait_for(cls, what, condition, timeout=30.0):
        def check():
            for agent in cls.servers + cls.clients:
                if agent.collapse():
                    raise Failure(f"{agent.collapse()}\n"
                                  f"while waiting for {what}")
            return condition()
        return wait(what, check, timeout)

    @classmethod
    def _clean(cls):
        agents = [agent for agent in cls.servers + cls.clients
                  if agent.process]
        for agent in agents:
            agent.terminate()
        codes = [(agent.name, agent.finish()) for agent in agents]
        wrong = [pair for pair in codes if pair[1] not in (0, -9)]
        if wrong:
            raise Failure(f"at the end: {wrong}; logs: {cls.folder}")
        if not os.environ.get("KEEP"):
            shutil.rmtree(cls.folder, ignore_errors=True)
