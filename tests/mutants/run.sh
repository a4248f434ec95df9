#!/bin/sh
# Every patch here plants one bug. Each must still compile and must be caught by
# the test its header names ("Caught-By: <library> <suite> <test>"): a mutant
# that lives is a rule nobody checks. Two at a time, each on a copy of the tree
# that was built once, so that a mutant costs the files that it changes.
#   JOBS=2 sh tests/mutants/run.sh [patch...]
set -u
jobs=${JOBS:-2}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
[ $# -gt 0 ] || set -- tests/mutants/*.patch
for patch; do
    [ -r "$patch" ] || { echo "no such patch: $patch" >&2; exit 1; }
done

header() { sed -n 's/^Caught-By: //p' "$1"; }

# One line about a patch, on a tree; names of those that live go into a file.
try() {
    patch=$1 tree=$2 log=$2.log name=$(basename "$1" .patch)
    set -- $(header "$patch")
    library=$1 suite=$2 test=$3
    if ! patch -s -p1 -d "$tree" < "$patch" > "$log" 2>&1; then
        echo "$name: does not apply"
        echo "$name" >> "$work/lived"
        return
    fi
    if ! make -s -C "$tree" B=build "build/tests/$library" > "$log" 2>&1; then
        verdict="does not compile"
    elif CK_RUN_SUITE=$suite timeout 300 "$tree/build/tests/$library" \
            > "$log" 2>&1; then
        verdict="LIVED"
    elif grep -q ":$test:" "$log"; then
        verdict=
    else
        verdict="caught, but not by $test"
    fi
    if [ -z "$verdict" ]; then
        echo "$name: caught by $test"
    else
        echo "$name: $verdict"
        tail -5 "$log"
        echo "$name" >> "$work/lived"
    fi
    patch -s -R -p1 -d "$tree" < "$patch"
}

# Every jobs-th patch, beginning with the one of that number.
work_on() {
    number=$1 at=0
    shift
    for patch; do
        [ $((at % jobs)) -eq "$number" ] && try "$patch" "$work/$number"
        at=$((at + 1))
    done
}

binaries=$(for patch; do header "$patch"; done | cut -d' ' -f1 | sort -u |
           sed 's|^|build/tests/|')
mkdir "$work/0"
tar -cf - --exclude=./build --exclude=./.git . | tar -xf - -C "$work/0"
if ! make -s -j"$jobs" -C "$work/0" B=build $binaries > "$work/log" 2>&1; then
    tail -20 "$work/log" >&2
    exit 1
fi
number=1
while [ "$number" -lt "$jobs" ]; do
    cp -a "$work/0" "$work/$number"
    number=$((number + 1))
done
number=0 pids=
while [ "$number" -lt "$jobs" ]; do
    work_on "$number" "$@" &
    pids="$pids $!"
    number=$((number + 1))
done
wait $pids
[ -e "$work/lived" ] || exit 0
echo "not caught as they should be:" $(cat "$work/lived") >&2
exit 1
