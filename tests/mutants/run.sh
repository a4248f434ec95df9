#!/bin/sh
# Every patch here plants one bug. Each must still compile and must be caught by
# the test its header names ("Caught-By: <library> <suite> <test>"): a mutant
# that lives is a rule nobody checks. Works on a copy of the tree.
#   sh tests/mutants/run.sh [patch...]
set -u
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
mkdir "$work/tree"
tar -cf - --exclude=./build --exclude=./.git . | tar -xf - -C "$work/tree"
[ $# -gt 0 ] || set -- tests/mutants/*.patch
lived=
for patch; do
    set -- $(sed -n 's/^Caught-By: //p' "$patch")
    library=$1 suite=$2 test=$3
    name=$(basename "$patch" .patch)
    if ! patch -s -p1 -d "$work/tree" < "$patch"; then
        echo "$name: does not apply"; lived="$lived $name"; continue
    fi
    if ! make -s -C "$work/tree" B="$work/build" "$work/build/tests/$library" \
            > "$work/log" 2>&1; then
        echo "$name: does not compile"; tail -5 "$work/log"
        lived="$lived $name"
    elif CK_RUN_SUITE=$suite timeout 120 "$work/build/tests/$library" \
            > "$work/log" 2>&1; then
        echo "$name: LIVED"; lived="$lived $name"
    elif grep -q ":$test:" "$work/log"; then
        echo "$name: caught by $test"
    else
        echo "$name: caught, but not by $test"; cat "$work/log"
        lived="$lived $name"
    fi
    patch -s -R -p1 -d "$work/tree" < "$patch"
done
[ -z "$lived" ] && exit 0
echo "not caught as they should be:$lived" >&2
exit 1
