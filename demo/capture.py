"""Watches the loopback interface for packets between datacenters.

Every datacenter of the demo has a network of its own, 127.<n>.0.0/16. A kernel
filter passes only IPv4 packets whose second address byte differs between source
and destination, so nothing else costs time and nothing is lost to a full buffer.
An address outside the three networks is suspect too: it is what a socket gets
that was not bound to its own agent's.
"""
import collections
import ctypes
import socket
import struct
import threading
import time

ETH_P_ALL = 3
SO_ATTACH_FILTER = 26
PACKET_STATISTICS = 6
SOL_PACKET = 263


def _crossing_filter():
    """Classic BPF: IPv4, and src[1] != dst[1]; 64 bytes of each packet."""
    program = [
        (0x28, 0, 0, 12),      # ldh [12]        EtherType
        (0x15, 0, 6, 0x0800),  # jeq IPv4, else drop
        (0x30, 0, 0, 27),      # ldb [14+12+1]   source, second byte
        (0x02, 0, 0, 0),       # st M[0]
        (0x30, 0, 0, 31),      # ldb [14+16+1]   destination, second byte
        (0x61, 0, 0, 0),       # ldx M[0]
        (0x1d, 1, 0, 0),       # jeq x: the same datacenter, drop
        (0x06, 0, 0, 64),      # ret 64
        (0x06, 0, 0, 0),       # ret 0
    ]
    code = b"".join(struct.pack("HBBI", *line) for line in program)
    buffer = ctypes.create_string_buffer(code)
    return struct.pack("HL", len(program), ctypes.addressof(buffer)), buffer


class Capture:
    """Counts packets by (source, destination) from start() to stop().

    numbers are the datacenters' second address bytes; packets of which neither
    end is in one of them are another program's.
    """

    def __init__(self, numbers, interface="lo"):
        self.numbers = frozenset(numbers)
        self.pairs = collections.Counter()
        self.dropped = 0
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        program, self._keep = _crossing_filter()
        self._socket.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self._socket.bind((interface, ETH_P_ALL))
        self._socket.settimeout(0.2)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self._thread.start()

    def _run(self):
        # Others may use this interface too, and need never be silent.
        while not (self._stopping.is_set() and time.monotonic() > self._end):
            try:
                packet = self._socket.recv(64)
            except socket.timeout:
                if self._stopping.is_set():
                    return
                continue
            if (packet[26] == packet[30] == 127
                    and {packet[27], packet[31]} & self.numbers):
                self.pairs[(socket.inet_ntoa(packet[26:30]),
                            socket.inet_ntoa(packet[30:34]))] += 1

    def stop(self):
        self._end = time.monotonic() + 1.0
        self._stopping.set()
        self._thread.join()
        stats = self._socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8)
        self.dropped = struct.unpack("II", stats)[1]
        self._socket.close()

    def violations(self, gateways):
        """Pairs of which neither end is a gateway."""
        return sorted(pair for pair in self.pairs
                      if not set(pair) & set(gateways))
