#!/bin/sh
# Runs every benchmark of $B/bin with its defaults, one after the other: each
# prints a table of its own. Nothing here fails for being slow.
for bench in "$B"/bin/*-bench; do
    echo "== ${bench##*/}"
    "$bench" || exit 1
done
echo "== federation_change.py"
python3 -B tests/bench/federation_change.py "$B/bin/isthmus"
