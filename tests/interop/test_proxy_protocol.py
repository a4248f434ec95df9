"""The PROXY protocol with HAProxy before the gateway, which sends a header, and
behind it, which takes one and tells its target who the client is."""
import os
import socket
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../daemon/data"))
from gateway_lives import Echo, Gateway, agent_with, free_port, until
from gateway_splice import HELLO

FRONT = "127.0.0.21"

CONFIG = """
defaults
    mode tcp
    timeout connect 5s
    timeout client 10s
    timeout server 10s
frontend before
    bind {front}:{front_port}
    default_backend gateway
backend gateway
    source {front}
    server gateway 127.0.0.1:{gateway_port} send-proxy-v2
frontend behind
    bind 127.0.0.1:{back_port} accept-proxy
    default_backend target
backend target
    server target 127.0.0.1:{target_port} send-proxy
"""


class ProxyProtocol(unittest.TestCase):
    def start_haproxy(self, **ports):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        config = folder.name + "/haproxy.cfg"
        with open(config, "w") as file:
            file.write(CONFIG.format(front=FRONT, **ports))
        haproxy = subprocess.Popen(["haproxy", "-db", "-f", config],
                                   stderr=subprocess.DEVNULL)
        self.addCleanup(haproxy.wait)
        self.addCleanup(haproxy.terminate)

        def listens():
            with socket.socket() as link:
                return link.connect_ex((FRONT, ports["front_port"])) == 0
        until("HAProxy to listen", listens)

    def test_a_client_is_known_behind_two_proxies(self):
        """HAProxy, the gateway, HAProxy: the last still names the client."""
        target, ports = Echo(), {n: free_port() for n in ("front", "back")}
        agent = agent_with(("s1", type("Back", (), {"port": ports["back"]})))
        with Gateway(os.environ["ISTHMUS"], agent,
                     f"-proxy-protocol-in={FRONT}/32",
                     "-proxy-protocol-out=127.0.0.1/32") as gateway:
            self.start_haproxy(front_port=ports["front"],
                               back_port=ports["back"],
                               gateway_port=gateway.port,
                               target_port=target.port)
            until("a way through", lambda: self.meet(ports) is not None)
            source, line = self.meet(ports)
            self.assertEqual(
                f"PROXY TCP4 {source[0]} {FRONT} {source[1]} {ports['front']}",
                line)
            gateway.stop()

    def meet(self, ports):
        """Who we are, and what the target heard of us; None: no way yet."""
        try:
            link = socket.create_connection((FRONT, ports["front"]), 10,
                                            ("127.0.0.23", 0))
            source = link.getsockname()
            link.sendall(HELLO)
            back = link.recv(4096)
        except OSError:
            return None
        if not back:
            return None
        line, rest = back.split(b"\r\n", 1)
        self.assertEqual(HELLO, rest)
        link.close()
        return source, line.decode()


if __name__ == "__main__":
    unittest.main()
