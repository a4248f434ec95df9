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

# What the binary knows, completion offers, and the man page and docs/commands.md
# name: each command, and each of its flags (an agent's are in configuration.md;
# those of how to reach it once for all commands).
man=$top/share/man/man8/isthmus.8
"$isthmus" help | sed -n 's/^  \([a-z].*[^ ]\)   *.*/\1/p' >"$top/commands"
while read -r command; do
    # shellcheck disable=SC2086 # words of a command
    set -- $command
    grep -q "^.It Cm $command\$" "$man" ||
        fail "the man page does not name \"$command\""
    grep -q -e "isthmus $command\b" -e "^#.*isthmus.*\b${command##* }\b" \
        docs/commands.md ||
        fail "docs/commands.md does not name \"$command\""
    case " $(complete "$isthmus" "$@") " in
    *" ${command##* } "*) ;;
    *) fail "completion does not offer \"$command\"" ;;
    esac
    offered=" $(complete "$isthmus" "$@" -) "
    "$isthmus" "$@" -help | sed -n 's/^  -\([a-z0-9-]*\).*/\1/p' >"$top/flags"
    sed -n "/^.It Cm $command\$/,/^.It Cm\|^.El/p" "$man" >"$top/entry"
    while read -r flag; do
        grep -q "^.Op Fl $flag\b" "$top/entry" ||
            fail "the man page does not name -$flag of \"$command\""
        case $offered in
        *" -$flag "* | *" -$flag= "*) ;;
        *) fail "completion does not offer -$flag of \"$command\"" ;;
        esac
        [ "$command" = agent ] || grep -q -e "\`-$flag\b\|[[ ]-$flag\b" \
            docs/commands.md || fail "docs/commands.md does not name -$flag"
    done <"$top/flags"
done <"$top/commands"
echo "install: programs build; completion, man page and docs know the commands and flags"
