#!/bin/sh
# What `make install` does: install.sh 'NAME|WHAT IT IS|PACKAGES IT NEEDS'...,
# one argument a library, with B, PREFIX, DESTDIR and VERSION in the environment.
set -e
to=$DESTDIR$PREFIX
here=$(dirname "$0")

fill() { # NAME ABOUT REQUIRES <template
    sed -e "s|@PREFIX@|$PREFIX|; s|@BINDIR@|$PREFIX/bin|" \
        -e "s|@VERSION@|$VERSION|; s|@NAME@|$1|; s|@ABOUT@|$2|; s|@REQUIRES@|$3|"
}

install -d "$to/bin" "$to/lib/isthmus" "$to/lib/pkgconfig" \
    "$to/lib/systemd/system" "$to/share/man/man8" \
    "$to/share/bash-completion/completions"
install -m 755 "$B/bin/isthmus" "$to/bin/"
for library; do
    name=${library%%|*}
    rest=${library#*|}
    install -m 644 "$B/lib/lib$name.a" "$to/lib/isthmus/"
    install -d "$to/include/isthmus/$name"
    install -m 644 "lib$name/include/$name/"*.h "$to/include/isthmus/$name/"
    for generated in "$B/gen/$name/$name/"*.h; do
        [ ! -e "$generated" ] ||
            install -m 644 "$generated" "$to/include/isthmus/$name/"
    done
    fill "$name" "${rest%%|*}" "${rest#*|}" <"$here/library.pc" \
        >"$to/lib/pkgconfig/isthmus-$name.pc"
done
# The binary knows its commands best, and their flags.
commands() {
    echo .Bl -tag -width Ds
    "$B/bin/isthmus" help | sed -n 's/^  \([a-z].*[^ ]\)   *\(.*\)/\1|\2/p' |
        while IFS='|' read -r command summary; do
            printf '.It Cm %s\n%s\n' "$command" "$summary"
            # shellcheck disable=SC2086 # words of a command
            "$B/bin/isthmus" $command -help | sed -n \
                -e 's/^  -\([a-z0-9-]*\)=\(.*\)/.Op Fl \1 Ns = Ns Ar \2/p' \
                -e 's/^  -\([a-z0-9-]*\)$/.Op Fl \1/p'
        done
    echo .El
}
commands >"$to/share/man/man8/commands"
fill "" "" "" <"$here/isthmus.8" |
    sed -e "/@COMMANDS@/{r $to/share/man/man8/commands" -e "d;}" \
        >"$to/share/man/man8/isthmus.8"
rm "$to/share/man/man8/commands"
for unit in isthmus isthmus-gateway; do
    fill "" "" "" <"$here/$unit.service" >"$to/lib/systemd/system/$unit.service"
done
install -m 644 "$here/isthmus.bash" \
    "$to/share/bash-completion/completions/isthmus"
