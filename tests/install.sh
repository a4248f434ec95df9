#!/bin/sh
# What `make install` leaves behind works: a program outside this tree builds
# with pkg-config and one library, completion knows the commands, the man page
# names them. CC, SANFLAGS and B from the environment.
set -e
top=$(mktemp -d)
trap 'rm -rf "$top"' EXIT
fail() {
    echo "install: $*" >&2
    exit 1
}
${MAKE:-make} -s --no-print-directory B="$B" PREFIX="$top" DESTDIR= install

export PKG_CONFIG_PATH="$top/lib/pkgconfig"
for pair in presence:gossip counter:raft; do
    cp "examples/${pair%:*}.c" "$top/program.c"
    (cd "$top" && ${CC:-gcc} -std=c11 -D_GNU_SOURCE $SANFLAGS -o program \
        program.c $(pkg-config --cflags --libs "isthmus-${pair#*:}")) ||
        fail "examples/${pair%:*}.c does not build with isthmus-${pair#*:}"
done

complete() { # WORD...: what completion offers for the last
    bash -c '. "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _isthmus 2>/dev/null # no compopt here
        echo "${COMPREPLY[@]}"' \
        "$top/share/bash-completion/completions/isthmus" "$@"
}
isthmus=$top/bin/isthmus
[ "$(complete "$isthmus" fed)" = federation ] || fail "completion of a command"
complete "$isthmus" federation "" | grep -q gateways || fail "of a second word"
complete "$isthmus" members -w | grep -q -e -wan || fail "of a flag"

"$isthmus" help | sed -n 's/^  \([a-z].*[^ ]\)   *.*/\1/p' | while read -r command; do
    grep -q "^.It Cm $command\$" "$top/share/man/man8/isthmus.8" ||
        fail "the man page does not name \"$command\""
done
echo "install: programs build, completion and man page know the commands"
