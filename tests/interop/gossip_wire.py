"""A gossip peer made of a plain socket: sends any bytes, keeps what comes, and
knows nothing of the libraries it tests. AES-GCM is libcrypto's, by ctypes.
"""
import ctypes
import ctypes.util
import os
import socket
import struct
import threading
import time
import zlib

import peer as wire
from lab import wait


class Socket:
    """One UDP port and a TCP listener on it that does what a member's would:
    nothing, until a test sends something."""

    def __init__(self, ip, port=7946):
        self.ip, self.port = ip, port
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind((ip, port))
        self.udp.settimeout(0.05)
        self.packets, self.stopping = [], False
        self.answering = False       # acks to pings, so as to stay alive
        self.thread = threading.Thread(target=self._receive, daemon=True)
        self.thread.start()

    def close(self):
        self.stopping = True
        self.thread.join()
        self.udp.close()

    def _receive(self):
        while not self.stopping:
            try:
                data, sender = self.udp.recvfrom(65536)
            except socket.timeout:
                continue
            self.packets.append(data)
            if self.answering:
                self._answer(data, sender)

    def _answer(self, data, sender):
        for kind, body in wire.parts(data):
            if kind == wire.G_PING:
                number = wire.unpack(body)["SeqNo"]
                self.udp.sendto(wire.message(wire.G_ACK, SeqNo=number,
                                             Payload=None), sender)

    def send(self, node, data):
        self.udp.sendto(data, (node.ip, node.port))

    def messages(self, kind):
        """Bodies of the messages of that type that came, unpacked."""
        return [wire.unpack(body) for data in list(self.packets)
                for found, body in wire.parts(data) if found == kind]

    def number(self):
        return int.from_bytes(os.urandom(3), "big") + 1

    def ping(self, node, name=None, within=3.0):
        """Is there an ack?"""
        number = self.number()
        self.send(node, wire.message(wire.G_PING, SeqNo=number,
                                     Node=node.name if name is None else name))
        end = time.monotonic() + within
        while time.monotonic() < end:
            if any(ack["SeqNo"] == number
                   for ack in self.messages(wire.G_ACK)):
                return True
            time.sleep(0.01)
        return False


def alive(name, ip, incarnation=1, port=7946, vsn=wire.VSN, meta=b""):
    return wire.message(wire.G_ALIVE, Incarnation=incarnation, Node=name,
                        Addr=socket.inet_aton(ip), Port=port, Meta=meta,
                        Vsn=vsn)


def entry(name, ip, state=0, meta=b"", vsn=wire.VSN, incarnation=1):
    """One node of a push/pull."""
    return {"Name": name, "Addr": socket.inet_aton(ip), "Port": 7946,
            "Meta": meta, "Incarnation": incarnation, "State": state,
            "Vsn": vsn}


def stream(node, data, within=5.0, half=True):
    """Sends these bytes on a new stream; all that came back until its end."""
    with socket.create_connection((node.ip, node.port), within) as connection:
        connection.sendall(data)
        if half:
            connection.shutdown(socket.SHUT_WR)
        connection.settimeout(within)
        got = b""
        try:
            while True:
                part = connection.recv(65536)
                if not part:
                    return got
                got += part
        except (socket.timeout, ConnectionError):
            return got


def exchange(node, nodes, user_state=b"", join=True):
    """A whole push/pull as the dialling side: (nodes, user state)."""
    with socket.create_connection((node.ip, node.port), 10) as connection:
        connection.settimeout(10)
        connection.sendall(wire.push_pull(nodes, user_state, join))
        return wire.read_push_pull(connection)


def serf_state(time=1, events=(), status=None, event_time=1):
    """The user state of a serf node that has seen these (LTime, name,
    payload)."""
    return bytes([wire.SERF_PUSH_PULL]) + wire.pack({
        "LTime": time, "StatusLTimes": status or {}, "LeftMembers": [],
        "EventLTime": event_time, "QueryLTime": 1,
        "Events": [{"LTime": at, "Events": [{"Name": name,
                                             "Payload": payload}]}
                   for at, name, payload in events]})


def crc(data, wrong=False):
    return b"\x0c" + struct.pack(">I", zlib.crc32(data) ^ wrong) + data


def compound(*messages):
    return (bytes([wire.G_COMPOUND, len(messages)])
            + b"".join(struct.pack(">H", len(m)) for m in messages)
            + b"".join(messages))


def user(kind, **body):
    """A serf message in a memberlist user message."""
    return bytes([wire.G_USER, kind]) + wire.pack(body)


def lzw(data):
    """Codes of 9 bits: literals only, so at most 250 bytes."""
    assert len(data) <= 250
    bits, have, out = 0, 0, bytearray()
    for code in (256, *data, 257):
        bits |= code << have
        have += 9
        while have >= 8:
            out.append(bits & 0xff)
            bits, have = bits >> 8, have - 8
    if have:
        out.append(bits)
    return bytes(out)


def compressed(data, algorithm=0):
    return wire.message(wire.G_COMPRESS, Algo=algorithm, Buf=lzw(data))


_crypto = ctypes.CDLL(ctypes.util.find_library("crypto"))
for _name in ("EVP_CIPHER_CTX_new", "EVP_aes_128_gcm", "EVP_aes_192_gcm",
              "EVP_aes_256_gcm"):
    getattr(_crypto, _name).restype = ctypes.c_void_p


def seal(key, plain, aad=b"", version=1):
    """An encrypted block as gossip has it: version, nonce, text, tag. No
    padding is added: that is for the test to do or to leave."""
    cipher = getattr(_crypto, f"EVP_aes_{8 * len(key)}_gcm")()
    context = ctypes.c_void_p(_crypto.EVP_CIPHER_CTX_new())
    nonce, length = os.urandom(12), ctypes.c_int()
    out, tag = ctypes.create_string_buffer(len(plain) + 16), \
        ctypes.create_string_buffer(16)
    ok = (_crypto.EVP_EncryptInit_ex(context, ctypes.c_void_p(cipher), None,
                                     key, nonce)
          and _crypto.EVP_EncryptUpdate(context, None, ctypes.byref(length),
                                        aad, len(aad))
          and _crypto.EVP_EncryptUpdate(context, out, ctypes.byref(length),
                                        plain, len(plain))
          and _crypto.EVP_EncryptFinal_ex(context, None, ctypes.byref(length))
          and _crypto.EVP_CIPHER_CTX_ctrl(context, 0x10, 16, tag))
    _crypto.EVP_CIPHER_CTX_free(context)
    if not ok:
        raise AssertionError("libcrypto would not encrypt")
    return bytes([version]) + nonce + out.raw[:len(plain)] + tag.raw


def sealed_stream(key, plain, version=1):
    """A block in a stream's frame, whose head is authenticated with it."""
    size = 29 + len(plain)
    head = b"\x0a" + struct.pack(">I", size)
    return head + seal(key, plain, head, version)
