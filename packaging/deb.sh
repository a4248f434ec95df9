#!/bin/sh
# What `make deb` does: two Debian packages in $B/deb, isthmus (the daemon, with
# a user of its own and services that stand still until somebody enables them)
# and libisthmus-dev. B and VERSION in the environment; MAKE as make gives it.
set -e
here=$(dirname "$0")
out=$(realpath -m "$B/deb")
arch=$(dpkg --print-architecture)
rm -rf "$out"
daemon=$out/isthmus
dev=$out/libisthmus-dev

${MAKE:-make} -s --no-print-directory B="$B" PREFIX=/usr DESTDIR="$daemon" install
strip --strip-unneeded "$daemon/usr/bin/isthmus"
install -d "$dev/usr/lib"
mv "$daemon/usr/include" "$dev/usr/"
mv "$daemon/usr/lib/isthmus" "$daemon/usr/lib/pkgconfig" "$dev/usr/lib/"
strip --strip-debug "$dev/usr/lib/isthmus/"*.a
install -d -m 755 "$daemon/etc/isthmus"
gzip -9nf "$daemon/usr/share/man/man8/isthmus.8"

document() { # PACKAGE FOLDER: what every package has in /usr/share/doc
    doc=$2/usr/share/doc/$1
    install -d "$doc"
    install -m 644 LICENSE "$doc/copyright"
    gzip -9nc CHANGELOG.md >"$doc/changelog.gz"
}
document isthmus "$daemon"
document libisthmus-dev "$dev"
install -m 644 docs/*.md "$daemon/usr/share/doc/isthmus/"

# Which packages own the libraries that the binary was linked with.
mkdir -p "$out/debian"
: >"$out/debian/control"
depends=$(cd "$out" && dpkg-shlibdeps -O --ignore-missing-info \
    isthmus/usr/bin/isthmus 2>/dev/null | sed 's/^shlibs:Depends=//')

control() { # PACKAGE FOLDER DEPENDS SECTION ABOUT <the long description
    install -d "$2/DEBIAN"
    {
        printf 'Package: %s\nVersion: %s\nArchitecture: %s\n' "$1" "$VERSION" "$arch"
        printf 'Maintainer: The Isthmus maintainers <maintainers@isthmus.invalid>\n'
        printf 'Section: %s\nPriority: optional\n' "$4"
        printf 'Installed-Size: %s\n' "$(du -ks "$2" | cut -f1)"
        printf 'Depends: %s\nDescription: %s\n' "$3" "$5"
        sed 's/^/ /'
    } >"$2/DEBIAN/control"
}
control isthmus "$daemon" "$depends, adduser" net \
    "federates datacenters through TLS gateways" <<'TEXT'
Datacenters behind firewalls and overlapping networks gossip, call each other
and share state through a few gateways that route by server name and never
decrypt. Names, ports, flags and HTTP API are those of Consul and Serf.
TEXT
control libisthmus-dev "$dev" "libevent-dev, libssl-dev, libprotobuf-c-dev, libsqlite3-dev, libmsgpack-dev, libjansson-dev, zlib1g-dev" \
    libdevel "gossip, Raft, RPC and federation for C programs" <<'TEXT'
Static libraries: memberlist and serf, Raft with storage on SQLite, calls through
one TLS server port, federation states, and gossip through gateways. Link one with
pkg-config, as isthmus-gossip, isthmus-raft and so on.
TEXT
install -m 755 "$here/postinst" "$here/postrm" "$daemon/DEBIAN/"
for folder in "$daemon" "$dev"; do
    dpkg-deb --root-owner-group --build "$folder" "$out" >/dev/null
    rm -rf "$folder"
done
rm -rf "$out/debian"
ls "$out"/*.deb
