#!/bin/sh
# Runs the named test binaries of $B/tests, one after the other; ends with 1 if
# any failed. Check prints one line of counts for each.
failed=
for name; do
    echo "== $name"
    "$B/tests/$name" || failed="$failed $name"
done
[ -z "$failed" ] && exit 0
echo "failed:$failed" >&2
exit 1
