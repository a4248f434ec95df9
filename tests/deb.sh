#!/bin/sh
# What `make deb` makes: packages that say what they need, whose binary runs and
# whose libraries a program can be built with. B from the environment. (Nothing
# is installed here: the packages are unpacked.)
set -e
top=$(mktemp -d)
trap 'rm -rf "$top"' EXIT
fail() {
    echo "deb: $*" >&2
    exit 1
}
${MAKE:-make} -s --no-print-directory B="$B" deb >/dev/null
for package in isthmus libisthmus-dev; do
    dpkg-deb -x "$B/deb/${package}"_*.deb "$top" || fail "no package $package"
done
depends=$(dpkg-deb -f "$B/deb/"isthmus_*.deb Depends)
for library in libc6 libevent libssl3 libsqlite3-0 libprotobuf-c1 libjansson4; do
    case $depends in
    *"$library"*) ;;
    *) fail "isthmus does not depend on $library: $depends" ;;
    esac
done
"$top/usr/bin/isthmus" version | grep -q "$(cat VERSION)" || fail "the binary"
for file in lib/systemd/system/isthmus.service share/man/man8/isthmus.8.gz \
    lib/systemd/system/isthmus-gateway.service share/doc/isthmus/copyright \
    share/bash-completion/completions/isthmus lib/isthmus/libraft.a; do
    [ -f "$top/usr/$file" ] || fail "/usr/$file is in no package"
done
dpkg-deb -c "$B/deb/"isthmus_*.deb | awk '$2 != "root/root" { bad = 1 }
    END { exit bad }' || fail "a file does not belong to root"
sh -n packaging/postinst && sh -n packaging/postrm
echo "deb: the packages are whole"
