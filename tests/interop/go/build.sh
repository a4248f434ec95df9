#!/bin/sh
# Builds the Go peer: sh build.sh OUTPUT. The modules are those of go.sum, and
# no other toolchain is fetched: Debian 12 has Go 1.19, which is too old for
# them, so a newer one has to be installed by hand.
#   GO=/usr/local/go/bin/go make interop-go
set -u
go=${GO:-$(command -v go || echo /usr/local/go/bin/go)}
if ! version=$("$go" env GOVERSION 2>/dev/null); then
    echo "interop-go: no Go found: install 1.26 or newer, then" \
         "make interop-go GO=/path/to/go" >&2
    exit 1
fi
cd "$(dirname "$0")" || exit 1
GOTOOLCHAIN=local GOFLAGS=-mod=readonly "$go" build -trimpath -o "$1" . || {
    echo "interop-go: $version could not build it; go.mod wants" \
         "$(sed -n 's/^go //p' go.mod), and the modules of go.sum" >&2
    exit 1
}
