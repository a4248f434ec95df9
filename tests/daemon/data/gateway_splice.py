"""The gateway while its bytes move in the kernel: more slow connections than it
has pipes, ends of one direction, and resets. Ends with 0 if all holds.

usage: gateway_splice.py PATH_OF_ISTHMUS
"""
import os, socket, ssl, struct, subprocess, sys, threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from gateway_run import Agent, free_port, server, until

NAME, SLOW, BYTES = "s1.server.dc1.example.org", 80, 3 << 20


def hello():
    """The bytes of a client's hello; what follows them need not be TLS."""
    out = ssl.MemoryBIO()
    tls = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), out,
                                                server_hostname=NAME)
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        return out.read()


HELLO = hello()


class Target:
    """Echoes; when its peer has ended, it says bye and ends too."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.port = self.listener.getsockname()[1]
        self.ends = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            link = self.listener.accept()[0]
            threading.Thread(target=self.echo, args=(link,),
                             daemon=True).start()

    def echo(self, link):
        try:
            while data := link.recv(1 << 16):
                link.sendall(data)
            link.sendall(b"bye")
            link.shutdown(socket.SHUT_WR)
            self.ends.append("end")
        except OSError:
            self.ends.append("reset")
        link.close()


class Client:
    def __init__(self, port, number=0):
        self.data = HELLO + number.to_bytes(4, "big") * (BYTES // 4)
        self.link = socket.create_connection(("127.0.0.1", port), 10)
        self.writer = threading.Thread(target=self.write, daemon=True)

    def write(self):
        self.link.sendall(self.data)
        self.link.shutdown(socket.SHUT_WR)

    def check(self):
        back = bytearray()
        while part := self.link.recv(1 << 20):
            back += part
        assert back == self.data + b"bye", (len(back), len(self.data))
        self.writer.join()
        self.link.close()


def greet(port, data):
    with socket.create_connection(("127.0.0.1", port), 10) as link:
        link.sendall(data)
        back = b""
        while len(back) < len(data) and (part := link.recv(1 << 16)):
            back += part
        return back == data


def reset(port, target):
    """A client's reset ends the connection to the target too."""
    link = socket.create_connection(("127.0.0.1", port), 10)
    link.sendall(HELLO)
    assert link.recv(len(HELLO), socket.MSG_WAITALL) == HELLO
    before = len(target.ends)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                    struct.pack("ii", 1, 0))
    link.close()
    until("an end at the target", lambda: len(target.ends) > before)


def check(port, target):
    until("a route", lambda: try_greet(port))
    slow = [Client(port, number) for number in range(SLOW)]
    for client in slow:
        client.writer.start()
    assert greet(port, HELLO + b"little"), "the slow keep others out"
    assert greet(port, HELLO + os.urandom(40000))
    for client in slow:
        client.check()
    reset(port, target)
    assert greet(port, HELLO)


def try_greet(port):
    try:
        return greet(port, HELLO)
    except OSError:
        return False


def main(binary):
    target, api, port = Target(), free_port(), free_port()
    agent = Agent(api)
    agent.change(servers=[server("s1", target.port)], sites={})
    process = subprocess.Popen(
        [binary, "gateway", "-expose-servers", f"-address=127.0.0.1:{port}",
         f"-wan-address=127.0.0.1:{port}", f"-http-addr=127.0.0.1:{api}"],
        stderr=subprocess.DEVNULL)
    try:
        check(port, target)
        assert process.poll() is None
    finally:
        process.terminate()
        assert process.wait(20) == 0


if __name__ == "__main__":
    main(sys.argv[1])
