"""Writes seeds of librpc's fuzz targets: conversations in rpc_frames' own
script, and how hellos begin in rpc_hello's."""
import os
import sys

HELLO, REQUEST, RESPONSE, DATA, GRANT, CANCEL, GOAWAY, PING, PONG = range(1, 10)
SERVER, CLIENT = 0, 1
READ = [244]


def frame(kind, number, *rest, cut=0):
    return [0, kind, number, *rest, cut]


def request(number, total, shift=0):
    return frame(REQUEST, number, total, shift, 4, 0, 5, 0, 0)


def response(number, total, shift=0):
    return frame(RESPONSE, number, total, shift, 0, 1, 0, 0, 0)


# 100 KiB: a part of 64, and 36 that are sent when they are granted.
LONG_REQUEST = request(1, 100, 10) + READ + frame(DATA, 1, 36) + READ
LONG_ANSWER = response(1, 100, 10) + READ + frame(DATA, 1, 36) + READ
CONVERSATIONS = [
    [SERVER] + request(1, 9) + READ + request(2, 0) + READ,
    [SERVER] + LONG_REQUEST + frame(GRANT, 1) + READ + frame(PING, 7) + READ,
    [SERVER] + LONG_REQUEST + frame(CANCEL, 1) + [255] + READ,
    [SERVER] + LONG_REQUEST + [255] + frame(GRANT, 1) + READ + [252, 0],
    [SERVER, 254] + request(1, 3) + READ + [251, 200] + READ,
    [SERVER] + request(1, 200, 11) + request(1, 3),
    [SERVER] + request(1, 100, 10) + request(2, 100, 10) + request(3, 100, 10)
    + [253, 2] + frame(DATA, 3, 36) + READ + frame(DATA, 1, 40),
    [SERVER] + request(1, 100, 10) + [251, 20, 251, 60] + READ,
    [SERVER] + request(1, 100, 10) + frame(DATA, 1, 36) + [252, 1],
    [SERVER] + [0, 128, 0, 0, 0, 12, 0, 0],
    [SERVER + 2] + frame(PING, 1), [SERVER] + request(6, 1),
    [CLIENT] + response(1, 5) + READ + frame(GRANT, 2) + READ,
    [CLIENT] + LONG_ANSWER + frame(GOAWAY, 3) + READ + [251, 16] + READ,
    [CLIENT] + response(2, 100, 10) + [253, 2] + frame(DATA, 2, 36) + READ,
    [CLIENT] + frame(GRANT, 5) + READ + frame(GRANT, 4) + READ + [253, 4],
    [CLIENT] + frame(CANCEL, 1), [CLIENT, 251, 20, 251, 20], [6, 0, 0, 0, 0],
    [CLIENT] + frame(PONG, 1) + response(1, 5, 0) + response(1, 5),
]
# The client's hello: records of so many bytes, a name, protocols, a change.
HELLOS = [[1, step, 20] + list(range(20)) + [2, 5, 65, 70, 66, 0, at, 7]
          for step in (0, 1, 20, 85, 255) for at in (0, 5, 60, 120, 200)]


def main(folder):
    for target, seeds in (("rpc_frames", CONVERSATIONS),
                          ("rpc_hello", HELLOS)):
        os.makedirs(os.path.join(folder, target), exist_ok=True)
        for number, seed in enumerate(seeds):
            with open(os.path.join(folder, target, f"{number:02}"),
                      "wb") as file:
                file.write(bytes(seed))


if __name__ == "__main__":
    main(sys.argv[1])
