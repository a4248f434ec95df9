"""A peer of the server port in plain Python: TLS by the ssl module, frames,
protobuf and msgpack by hand from docs/protocol.md and the gossip vectors.
Nothing here comes from the libraries that it tests.
"""
import socket
import ssl
import struct
import zlib

ALPN_SINGLE, ALPN_MULTI = "isthmus/rpc-single", "isthmus/rpc-multi"
ALPN_RAFT, ALPN_SNAPSHOT = "isthmus/raft", "isthmus/rpc-snapshot"
ALPN_PACKET = "consul/wan-gossip/packet"
ALPN_STREAM = "consul/wan-gossip/stream"

HELLO, REQUEST, RESPONSE, DATA, GRANT, CANCEL, GOAWAY, PING, PONG = range(1, 10)
PART = 65536


class Identity:
    """A certificate, its key and the authority that it trusts."""

    def __init__(self, ca, certificate=None, key=None):
        self.ca, self.certificate, self.key = ca, certificate, key

    def client(self, alpns=(), newest=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.ca)
        if self.certificate:
            context.load_cert_chain(self.certificate, self.key)
        if alpns:
            context.set_alpn_protocols(list(alpns))
        if newest:
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
            context.maximum_version = newest
        return context

    def server(self, alpns):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_verify_locations(self.ca)
        context.load_cert_chain(self.certificate, self.key)
        context.verify_mode = ssl.CERT_REQUIRED
        context.set_alpn_protocols(list(alpns))
        return context


def dial(address, first=b"", timeout=10):
    """A plain connection that begins with these bytes."""
    connection = socket.create_connection(address, timeout)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.sendall(first)
    return connection


def dial_tls(address, context, name, first=None, inner=None):
    """TLS, native or after a byte; inner is the byte inside it."""
    plain = dial(address, bytes([first]) if first is not None else b"")
    try:
        connection = context.wrap_socket(plain, server_hostname=name)
    except BaseException:
        plain.close()
        raise
    if inner is not None:
        connection.sendall(bytes([inner]))
    return connection


def read_exactly(connection, count):
    data = b""
    while len(data) < count:
        part = connection.recv(count - len(data))
        if not part:
            raise EOFError(f"ended after {len(data)} of {count} bytes")
        data += part
    return data


# ---- frames (docs/protocol.md) ----------------------------------------------

def frame(kind, number=0, payload=b"", reserved=0):
    return struct.pack(">IB3sI", len(payload), kind,
                       reserved.to_bytes(3, "big"), number) + payload


def hello(version=1, calls=64, body_max=16 << 20):
    return frame(HELLO, 0, struct.pack(">HHI", version, calls, body_max))


def request(number, method, body=b"", timeout_ms=10000, total=None, token=""):
    """The REQUEST frame, with the first part of the body."""
    name, token = method.encode(), token.encode()
    head = struct.pack(">IIBBH", len(body) if total is None else total,
                       timeout_ms, 0, len(name), len(token))
    return frame(REQUEST, number, head + name + token + body[:PART])


def read_frame(connection):
    length, kind, reserved, number = struct.unpack(
        ">IB3sI", read_exactly(connection, 12))
    if reserved != b"\0\0\0" or length > PART + 4096:
        raise AssertionError(f"bad frame: {length} {kind} {reserved}")
    return kind, number, read_exactly(connection, length)


class Answer:
    """A RESPONSE's payload in its parts."""

    def __init__(self, payload):
        (self.total, self.status, words, zero) = struct.unpack(
            ">IiHH", payload[:12])
        if zero:
            raise AssertionError("reserved bytes of a RESPONSE are not zero")
        self.text = payload[12:12 + words].decode()
        self.body = payload[12 + words:]


class Caller:
    """The calling side of a connection that speaks frames."""

    def __init__(self, connection):
        self.connection = connection
        self.number = 0
        connection.sendall(hello())
        kind, number, payload = read_frame(connection)
        if (kind, number) != (HELLO, 0):
            raise AssertionError(f"first frame is {kind} of {number}")
        self.version, self.calls, self.body_max = struct.unpack(
            ">HHI", payload[:8])

    def send(self, method, body=b"", **more):
        self.number += 1
        self.connection.sendall(request(self.number, method, body, **more))
        return self.number

    def receive(self):
        """(id, Answer) of the next RESPONSE."""
        kind, number, payload = read_frame(self.connection)
        if kind != RESPONSE:
            raise AssertionError(f"frame {kind} where a RESPONSE was due")
        return number, Answer(payload)

    def call(self, method, body=b""):
        sent = self.send(method, body)
        number, answer = self.receive()
        if number != sent:
            raise AssertionError(f"answer to {number}, asked {sent}")
        return answer

    def close(self):
        self.connection.close()


# ---- protobuf: only what the tests need --------------------------------------

def varint(value):
    out = bytearray()
    while value > 0x7f:
        out.append(value & 0x7f | 0x80)
        value >>= 7
    return bytes(out + bytes([value]))


def field(number, value):
    """A varint or a length-delimited field."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def fields(data):
    """{number: [values]} of one message."""
    found, at = {}, 0

    def read():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        key = read()
        value = read()
        if key & 7 == 2:
            at += value
            value = data[at - value:at]
        elif key & 7:
            raise AssertionError(f"wire type {key & 7}")
        found.setdefault(key >> 3, []).append(value)
    return found


# ---- msgpack, the old form (gossip) ------------------------------------------

def pack(value):
    if value is None:
        return b"\xc0"
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        if value < 0x80:
            return bytes([value])
        for code, form, limit in ((0xcc, ">BB", 8), (0xcd, ">BH", 16),
                                  (0xce, ">BI", 32), (0xcf, ">BQ", 64)):
            if value < 1 << limit:
                return struct.pack(form, code, value)
    if isinstance(value, (str, bytes)):
        data = value.encode() if isinstance(value, str) else value
        head = (bytes([0xa0 + len(data)]) if len(data) < 32
                else struct.pack(">BH", 0xda, len(data)))
        return head + data
    if isinstance(value, list):
        return (bytes([0x90 + len(value)]) if len(value) < 16
                else struct.pack(">BH", 0xdc, len(value))) \
            + b"".join(map(pack, value))
    if isinstance(value, dict):
        assert len(value) < 16
        return bytes([0x80 + len(value)]) + b"".join(
            pack(key) + pack(value[key]) for key in sorted(value))
    raise TypeError(value)


class Unpacker:
    """Reads values from a function that gives exactly so many bytes."""

    def __init__(self, read):
        self.read = read

    def number(self, form):
        return struct.unpack(form, self.read(struct.calcsize(form)))[0]

    def value(self):
        code = self.number(">B")
        if code < 0x80:
            return code
        if code < 0x90:
            return self.map(code & 0xf)
        if code < 0xa0:
            return [self.value() for _ in range(code & 0xf)]
        if code < 0xc0:
            return self.read(code & 0x1f)
        if code >= 0xe0:
            return code - 0x100
        simple = {0xc0: None, 0xc2: False, 0xc3: True}
        if code in simple:
            return simple[code]
        numbers = {0xcb: ">d", 0xcc: ">B", 0xcd: ">H", 0xce: ">I", 0xcf: ">Q",
                   0xd0: ">b", 0xd1: ">h", 0xd2: ">i", 0xd3: ">q"}
        if code in numbers:
            return self.number(numbers[code])
        if code in (0xda, 0xdb):
            return self.read(self.number(">H" if code == 0xda else ">I"))
        if code in (0xdc, 0xdd):
            count = self.number(">H" if code == 0xdc else ">I")
            return [self.value() for _ in range(count)]
        if code in (0xde, 0xdf):
            return self.map(self.number(">H" if code == 0xde else ">I"))
        raise AssertionError(f"msgpack code {code:#x} is not of the old form")

    def map(self, count):
        return {self.value().decode(): self.value() for _ in range(count)}


# ---- gossip ------------------------------------------------------------------

(G_PING, G_INDIRECT, G_ACK, G_SUSPECT, G_ALIVE, G_DEAD, G_PUSH_PULL, G_COMPOUND,
 G_USER, G_COMPRESS, G_ENCRYPT, G_NACK, G_CRC, G_ERROR) = range(14)
SERF_PUSH_PULL = 2
VSN = bytes([1, 5, 2, 2, 5, 5])


def message(kind, **body):
    return bytes([kind]) + pack(body)


def packet(data):
    """As it goes through TLS: four bytes of length, then the packet."""
    return struct.pack(">I", len(data)) + data


def meta(**tags):
    return b"\xff" + pack(tags)


def lzw_decode(data):
    """The variant of memberlist: least significant bit first, 8-bit literals,
    clear 256, end 257, 9 to 12 bits."""
    bits, have, at = 0, 0, 0
    width, high, limit, last, table = 9, 257, 512, None, {}
    out = bytearray()
    while True:
        while have < width:
            bits |= data[at] << have
            at, have = at + 1, have + 8
        code, bits, have = bits & (1 << width) - 1, bits >> width, have - width
        if code == 257:
            return bytes(out)
        if code == 256:
            width, high, limit, last, table = 9, 257, 512, None, {}
            continue
        if code < 256:
            found = bytes([code])
        elif code == high and last is not None:
            found = last + last[:1]
        else:
            found = table[code]
        out += found
        if last is not None:
            table[high] = last + found[:1]
        last, high = found, high + 1
        if high >= limit:
            if width == 12:
                last, high = None, high - 1
            else:
                width, limit = width + 1, limit * 2


def inflate(body):
    """The message inside the body of a compress message."""
    if body["Algo"] != 0:
        raise AssertionError(f"compression {body['Algo']}")
    return lzw_decode(body["Buf"])


def parts(data):
    """The single messages of a packet, out of CRC, compound, compression."""
    if data[0] == G_CRC:
        if struct.unpack(">I", data[1:5])[0] != zlib.crc32(data[5:]):
            raise AssertionError("CRC of a packet is wrong")
        yield from parts(data[5:])
    elif data[0] == G_COMPOUND:
        count = data[1]
        sizes = struct.unpack(f">{count}H", data[2:2 + 2 * count])
        at = 2 + 2 * count
        for size in sizes:
            yield from parts(data[at:at + size])
            at += size
    elif data[0] == G_COMPRESS:
        yield from parts(inflate(unpack(data[1:])))
    else:
        yield data[0], data[1:]


def push_pull(nodes, user_state, join=True):
    """The bytes of one side of an exchange."""
    header = {"Nodes": len(nodes), "UserStateLen": len(user_state),
              "Join": join}
    return (bytes([G_PUSH_PULL]) + pack(header)
            + b"".join(map(pack, nodes)) + user_state)


def taker(data):
    """A function that gives the bytes of data, so many at a time."""
    rest = memoryview(data)

    def read(count):
        nonlocal rest
        if count > len(rest):
            raise EOFError(f"{count} bytes wanted, {len(rest)} left")
        part, rest = bytes(rest[:count]), rest[count:]
        return part
    return read


def unpack(data):
    return Unpacker(taker(data)).value()


def read_push_pull(connection):
    """(nodes, user state) of the other side."""
    def read(count):
        return read_exactly(connection, count)
    kind = read(1)[0]
    if kind == G_COMPRESS:
        read = taker(inflate(Unpacker(read).value()))
        kind = read(1)[0]
    if kind != G_PUSH_PULL:
        raise AssertionError(f"stream answer of type {kind}")
    unpacker = Unpacker(read)
    header = unpacker.value()
    nodes = [unpacker.value() for _ in range(header["Nodes"])]
    return nodes, read(header["UserStateLen"])
