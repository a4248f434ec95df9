#!/usr/bin/env python3
"""Writes the seeds of libgossip's fuzz targets: seeds_gossip.py FOLDER.

They are the golden vectors of tests/libgossip/data, each with the bytes before
it by which a target chooses its setting. One folder a target.
"""
import json
import pathlib
import sys

DATA = pathlib.Path(__file__).parent.parent / "libgossip" / "data"
TYPES = [0, 1, 2, 3, 4, 6, 8, 9, 11, 13]  # of fuzz_messages.c, in its order


def vectors():
    index = json.loads((DATA / "index.json").read_text())
    for vector in index["vectors"]:
        text = (DATA / vector["file"]).read_text().strip()
        yield vector, bytes.fromhex(text)


def packet_seeds(vector, raw):
    fields = vector["fields"]
    if vector["group"] in ("packet", "label", "compound", "message", "live",
                           "newest-codec"):
        how = 1 if "key" in fields else 0
        how |= 2 if "label" in fields else 0
        yield bytes([how]) + raw
        if how == 0:
            yield bytes([1 | 8]) + raw       # sealed by the target
            yield bytes([2 | 16 | 32]) + raw  # label and checksum
            yield bytes([4 | 64]) + raw


def stream_seeds(vector, raw):
    fields = vector["fields"]
    if vector["group"] not in ("stream", "label", "live", "int-boundary"):
        return
    how = 1 if "key" in fields else 0
    how |= 2 if "label" in fields else 0
    for step in (0, 9, 255):
        yield bytes([how, step]) + raw
    if how == 0:
        for wrap in (1 | 8, 32, 1 | 8 | 32, 2 | 16, 2 | 16 | 1 | 8 | 32,
                     64, 128, 4 | 1):
            yield bytes([wrap, 77]) + raw


def message_seeds(vector, raw):
    if raw and raw[0] in TYPES and vector["group"] not in ("serf", "lzw"):
        yield bytes([TYPES.index(raw[0])]) + raw[1:]
    if vector["name"] == "v2_push_node":
        yield bytes([len(TYPES)]) + raw
    if vector["group"] == "serf":  # other kinds of values
        yield bytes([0]) + raw[1:]


def decompress_seeds(vector, raw):
    if vector["group"] == "lzw" and len(raw) < 12000:
        yield raw


def decrypt_seeds(vector, raw):
    if vector["group"] == "packet":
        yield raw
        for first in range(8):
            yield bytes([first, 20]) + raw


SERF_DECODERS = {0: 0, 1: 0, 3: 1, 4: 2, 5: 3, 9: 4, 7: 5, 8: 6, 6: 7}


def serf_message_seeds(vector, raw):
    if vector["name"] == "serf_coordinate_ack_payload":
        yield bytes([8]) + raw
    elif is_serf(vector) and raw[0] in SERF_DECODERS:
        yield bytes([SERF_DECODERS[raw[0]]]) + raw


def is_serf(vector):
    name = vector["name"]
    return vector["group"] == "serf" or name in (
        "v2_query", "v2_serf_pushpull", "v2_relay_header")


def part(what, raw):
    return bytes([what]) + len(raw).to_bytes(2, "big") + raw


def serf_node_seeds(vector, raw):
    if not is_serf(vector):
        return
    if raw[0] == 2:
        yield part(0, raw)
        yield part(1, raw) + part(4, raw)
        # A status time and a clock beyond 2^62.
        yield part(0, raw.replace(b"\xa5LTime", b"\xa5LTime\xcf" + b"\xff" * 8
                                  + b"\xa5other"))
        yield part(0, raw.replace(b"\xa6node-b", b"\xa6node-b\xcf"
                                  + b"\xff" * 8 + b"\xa1x"))
    else:
        yield part(2, raw)
        yield part(3, raw) + part(66, raw) + part(2, b"\x00" + raw[1:])


def tags_seeds(vector, raw):
    if vector["name"].startswith("serf_tags"):
        yield raw


REGEXES = (
    r"^web-\d+$", r"(?i)a|b|(c?d*e+)", r"[[:alpha:]_]{2,5}x", r"[^a-z\]]\b",
    r"(?P<name>a{3})\s\S\w\W\D\A\z\B", r"(?s:.)\x41\x{263a}\.\n\t\r\f\v\a",
    r"a{0}b{2,}c{1,3}?d*?e+?f??", r"(?-i)[\d\w-]+", r"((((a))))|", "é+",
    r"[[:^digit:]]", r"\pN", r"(", r"a**", r"[z-a]", r"(?i:A)[A-C]",
)


def regex_seeds(vector, _raw):
    if vector["name"] == "ml_ping":  # once
        for regex in REGEXES:
            for text in (b"web-12", b"abcde aaa \xc3\xa9", b""):
                yield regex.encode() + b"\0" + text


def snapshot_seeds(vector, _raw):
    if vector["name"] == "ml_ping":
        yield (b"alive: n 10.0.0.1:7946\nalive: m m [::1]:1\nclock: 7\n"
               b"not-alive: n\n# failed: x 1.2.3.4:5\nleave\nbad\n"
               b"event-clock: x\ncoordinate: {}\nquery-clock: 3\nalive: ")
        for path in sorted(DATA.glob("*.snap")):
            yield path.read_bytes()


TARGETS = {
    "packet": packet_seeds,
    "stream": stream_seeds,
    "messages": message_seeds,
    "decompress": decompress_seeds,
    "decrypt": decrypt_seeds,
    "serf_messages": serf_message_seeds,
    "serf_node": serf_node_seeds,
    "tags": tags_seeds,
    "regex": regex_seeds,
    "snapshot": snapshot_seeds,
}


def main():
    out = pathlib.Path(sys.argv[1])
    for name, seeds in TARGETS.items():
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        count = 0
        for vector, raw in vectors():
            for seed in seeds(vector, raw):
                (folder / f"{vector['name']}-{count}").write_bytes(seed)
                count += 1


if __name__ == "__main__":
    main()
