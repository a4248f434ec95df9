"""Input that nobody means well with (gossip specification, sections 6.2, 6.3
and 9), as bytes for a UDP socket or a TCP stream. Each is a name, where it
goes, what it says, and whether Debian's agent, version 0.8.2-dev of 2019,
crashes on it: test_gossip_malformed.py shows both sides.
"""
import struct

import peer as wire
from gossip_wire import alive, compound, compressed, crc, entry, \
    sealed_stream, seal, serf_state, user
from peer import message, pack

MAX = 2 ** 64 - 1
NOBODY = "127.46.250.1"              # where nothing listens
PING_QUERY = {"ID": 7, "Addr": bytes([127, 46, 250, 1]), "Port": 7946,
              "SourceNode": "py", "Filters": None, "Flags": 0,
              "RelayFactor": 0, "Timeout": 10 ** 9, "Payload": None}


def nested(depth, data):
    for _ in range(depth):
        data = compound(data)
    return data


def lzw_bomb(codes):
    """Each code names the entry that is being made: one byte longer than the
    one before."""
    bits = have = 0
    width, high, limit, out = 9, 257, 512, bytearray()

    def put(code):
        nonlocal bits, have
        bits |= code << have
        have += width
        while have >= 8:
            out.append(bits & 0xff)
            bits, have = bits >> 8, have - 8

    put(256)
    put(ord("a"))
    for _ in range(min(codes, 3800)):
        high += 1
        if high >= limit and width < 12:
            width, limit = width + 1, limit * 2
        put(high)
    put(257)
    return bytes(out + bytes([bits & 0xff]))


def query(time, name, **more):
    return user(4, **{**PING_QUERY, "LTime": time, "Name": name, **more})


def header(nodes, user_state, tail=b"", join=True):
    """A push/pull that says these sizes, whatever they are."""
    return (bytes([wire.G_PUSH_PULL, 0x83]) + pack("Nodes") + nodes
            + pack("UserStateLen") + user_state + pack("Join")
            + pack(join) + tail)


MINUS_ONE = b"\xff"
HUGE = b"\xcf" + struct.pack(">Q", 2 ** 40)
BIG = b"\xce\x7f\xff\xff\xff"


def packets(node):
    """(name, bytes, does the real agent crash) for that node."""
    me, ip = node.name, node.ip
    far = 2 ** 32 - 1
    return [
        ("empty datagram", b"", False),
        ("unknown type", b"\x63abc", False),
        ("types of streams only", b"\x06\x80", False),
        ("error message", message(wire.G_ERROR, Error="x"), False),
        ("encrypt type in a packet", b"\x0a\0\0\0\1x", False),
        ("looks encrypted", b"\x01" + bytes(60), False),
        ("a label", b"\xf4\4blue" + message(0, SeqNo=1, Node=""), False),
        ("a label cut short", b"\xf4\x50blue", False),
        ("wrong checksum", crc(alive("crc", NOBODY), wrong=True), False),
        ("checksum cut short", b"\x0c\1\2\3", False),
        ("checksum inside a compound", compound(crc(b"\x63")), False),
        ("compound of 128 parts and nothing", b"\x07\x80", True),
        ("compound of 200 parts", b"\x07\xc8" + bytes(100), False),
        ("compound cut short", b"\x07\x03\0\4\0\4\0\4abcd", False),
        ("compound in compound, 60 deep", nested(60, b"\x63"), False),
        ("compression of nothing", compressed(b""), True),
        ("unknown compression", compressed(b"\x63", 9), False),
        ("no LZW", message(wire.G_COMPRESS, Algo=0, Buf=b"\xff" * 40), False),
        ("an LZW bomb", message(wire.G_COMPRESS, Algo=0,
                                Buf=lzw_bomb(3000)), False),
        ("compression in compression", deep_compression(), False),
        ("a map cut short", b"\x04\x86\xa4Node", False),
        ("a list of 2^32", b"\x04\x81\xa4Meta\xdd\xff\xff\xff\xff", False),
        ("a string of 2^32", b"\x04\x81\xa4Node\xdb\xff\xff\xff\xff", False),
        ("nesting, 500 deep", b"\x04\x81\xa1x" + b"\x91" * 500, False),
        ("a name that is a number", message(4, Incarnation=1, Node=7), False),
        ("a negative incarnation",
         b"\x04\x82\xabIncarnation\xff\xa4Node\xa1x", False),
        ("an incarnation with a point",
         b"\x04\x82\xabIncarnation\xca\0\0\0\0\xa4Node\xa1x", False),
        *[(f"versions of {n} bytes",
           alive(f"v{n}", NOBODY, vsn=bytes([1, 5, 2, 2, 5][:n])),
           n in (1, 2, 3, 4, 5)) for n in range(6)],
        ("no versions", alive("vnil", NOBODY, vsn=None), False),
        *[(f"versions {vsn}", alive(f"v{vsn}", NOBODY, vsn=bytes(vsn)), False)
          for vsn in ([0, 5, 2, 2, 5, 5], [5, 1, 2, 2, 5, 5],
                      [1, 5, 9, 2, 5, 5], [1, 5, 2, 2, 5, 9])],
        ("an address of 3 bytes", message(
            4, Incarnation=1, Node="a3", Addr=b"\x7f\0\0", Port=7946,
            Meta=None, Vsn=wire.VSN), False),
        ("no address", message(4, Incarnation=1, Node="a0", Addr=None,
                               Port=7946, Meta=None, Vsn=wire.VSN), False),
        ("no name", alive("", NOBODY), False),
        ("a name with a zero", alive("a\0b", NOBODY), False),
        ("a name with a newline", alive("a\nb", NOBODY), False),
        ("a name of 600 bytes", alive("n" * 600, NOBODY), False),
        ("meta of 600 bytes", alive("m", NOBODY, meta=b"m" * 600), False),
        ("us, elsewhere", alive(me, NOBODY, 9), False),
        *[(f"{word} of us at the last incarnation",
           message(kind, Incarnation=far, Node=me, From="py"), False)
          for kind, word in ((3, "suspect"), (5, "dead"))],
        ("us alive at the last incarnation", alive(me, ip, far), False),
        ("an ack and a nack of nothing", compound(
            message(wire.G_ACK, SeqNo=far, Payload=b"\1\xff"),
            message(wire.G_NACK, SeqNo=far)), False),
        ("an indirect ping to 3 bytes", message(
            1, SeqNo=1, Target=b"\1\2\3", Port=1, Node="x", Nack=True), False),
        ("a user message of nothing", b"\x08", False),
        ("a serf message of no type", b"\x08\x63\x80", False),
        *[(f"serf message {kind} cut short", bytes([8, kind, 0x85]), False)
          for kind in range(10)],
        ("a leave of us at the end of time",
         user(0, LTime=MAX, Node=me, Prune=True), False),
        ("a join at the end of time", user(1, LTime=MAX, Node="x"), False),
        ("an event at the end of time",
         user(3, LTime=MAX, Name="end", Payload=b"", CC=False), False),
        ("a query at the end of time", query(MAX, "end"), False),
        ("a filter of nothing", query(50, "q", Filters=[b""]), True),
        ("filters of unknown kind", query(51, "q", Filters=[b"\7x"]), False),
        ("a broken expression", query(52, "q", Filters=[
            b"\1" + pack({"Tag": "role", "Expr": "(("})]), False),
        ("a greedy expression", query(53, "q", Filters=[
            b"\1" + pack({"Tag": "role", "Expr": "(((x{99}){99}){99})"})]),
         False),
        ("no time and 255 relays", query(54, "q", Timeout=0, RelayFactor=255),
         False),
        *[(f"{name} without a key", query(60 + n, f"_serf_{name}"), True)
          for n, name in enumerate(("install-key", "use-key", "remove-key"))],
        ("a key request of another type", query(
            64, "_serf_install-key", Payload=b"\x63\x80"), False),
        ("a key of 7 bytes", query(
            65, "_serf_install-key", Payload=b"\7" + pack({"Key": b"1234567"})),
         False),
        ("a conflict about nobody", query(66, "_serf_conflict",
                                          Payload=b"\n"), False),
        ("an unknown internal query", query(67, "_serf_x"), False),
        ("an answer to nothing", user(5, LTime=1, ID=1, From="py", Flags=0,
                                      Payload=b"x"), False),
        ("a relay without an end", b"\x08\x09\x82", False),
        ("a relay in a relay", b"\x08\x09" + pack(
            {"DestAddr": {"IP": b"\x7f\x2e\xfa\1", "Port": 7946, "Zone": ""},
             "DestName": "x"}) + b"\x09\x80", False),
    ]


def deep_compression():
    """As deep as literals alone get it."""
    data = b"\x63"
    while len(data) <= 200:
        data = compressed(data)
    return data


def streams(node):
    """(name, bytes, does the real agent crash)."""
    one = [entry("s", NOBODY)]
    return [
        ("nothing", b"", False),
        ("unknown type", b"\x63", False),
        ("a packet's type", alive("s", NOBODY), False),
        ("an error", message(wire.G_ERROR, Error="x"), False),
        ("a label", b"\xf4\4blue\6", False),
        ("a label of nothing", b"\xf4\0", False),
        ("a push/pull without a header", b"\x06", False),
        ("a negative number of members", header(MINUS_ONE, b"\0"), True),
        ("2^40 members", header(HUGE, b"\0"), True),
        ("2^31 members", header(BIG, b"\0"), False),
        ("a negative user state", header(b"\0", MINUS_ONE), False),
        ("a user state of 2^40", header(b"\0", HUGE), True),
        ("a member cut short", header(b"\1", b"\0", b"\x87\xa4Name"), False),
        *[(f"a member with versions of {n} bytes", wire.push_pull(
            [entry(f"s{n}", NOBODY, vsn=wire.VSN[:n])], serf_state()),
           n in (1, 2, 3, 4)) for n in (0, 1, 2, 3, 4, 5)],
        ("a member of state 9", wire.push_pull(
            [entry("s9", NOBODY, state=9)], serf_state()), False),
        ("a member without a name", wire.push_pull(
            [entry("", NOBODY)], serf_state()), False),
        ("a user state of another type", wire.push_pull(one, b"\x63\x80"),
         False),
        ("a user state cut short", wire.push_pull(one, b"\2\x86"), False),
        ("a user state at the end of time", wire.push_pull(one, serf_state(
            time=MAX, event_time=MAX, status={"s": MAX},
            events=[(MAX, "end", b"")])), False),
        ("a negative user message", b"\x08\x81\xaaUserMsgLen\xff", False),
        ("a user message of 2^40", b"\x08\x81\xaaUserMsgLen" + HUGE, True),
        ("compression of nothing", compressed(b""), True),
        ("compression in compression", compressed(compressed(b"\x06")), False),
        ("a bomb", message(wire.G_COMPRESS, Algo=0, Buf=lzw_bomb(3800)),
         False),
        ("an encrypted body of 2^32", b"\x0a\xff\xff\xff\xff", False),
        ("an encrypted body of nothing", b"\x0a\0\0\0\0", False),
    ]


def sealed(key):
    """(name, "udp" or "tcp", bytes, does the real agent crash), from one who
    has the key."""
    lies = b"\x63" * 15 + b"\xff"
    return [
        ("nothing, sealed, in a packet", "udp", seal(key, b""), False),
        ("padding longer than the packet", "udp", seal(key, lies, version=0),
         True),
        ("padding of no bytes", "udp", seal(key, bytes(16), version=0), False),
        ("a version of encryption that is not", "udp",
         seal(key, b"\x63", version=7), False),
        ("an altered block", "udp",
         seal(key, b"\x63abc")[:-1] + b"\0", False),
        ("nothing, sealed, on a stream", "tcp", sealed_stream(key, b""), True),
        ("padding longer than the body", "tcp",
         sealed_stream(key, lies, version=0), True),
        ("a stream in clear", "tcp", wire.push_pull([], serf_state()), False),
    ]
