#!/bin/sh
# Installs the named Debian packages that are missing. Idempotent, no prompts.
command -v dpkg-query >/dev/null || {
    echo "not a Debian: please see to these yourself: $*"
    exit 0
}
missing=
for package; do
    case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) in
    "install ok installed") ;;
    *) missing="$missing $package" ;;
    esac
done
[ -z "$missing" ] && exit 0
sudo=
[ "$(id -u)" = 0 ] || sudo=sudo
echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -qq && $sudo apt-get install -y -qq --no-install-recommends $missing
