#!/usr/bin/env python3
"""Writes the seeds of the fuzz targets: seeds.py FOLDER.

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


def serf_seeds(vector, raw):
    if vector["group"] in ("serf", "newest-codec"):
        yield raw


def snapshot_seeds(_vector, _raw):
    return ()


TARGETS = {
    "packet": packet_seeds,
    "stream": stream_seeds,
    "messages": message_seeds,
    "decompress": decompress_seeds,
    "decrypt": decrypt_seeds,
    "serf": serf_seeds,
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
        if name == "snapshot":
            for path in sorted(DATA.glob("*.snap")):
                (folder / path.name).write_bytes(path.read_bytes())


if __name__ == "__main__":
    main()
