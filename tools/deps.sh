#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# deps.sh [test|kernel]   Installs what the build (and the tests, and the programs for the kernel) need on Debian;
# does nothing where all of it is there.  Without clang (150 MB) the build leaves the kernel helps out.
set -eu
packages="gcc make pkg-config libssl-dev liburing-dev libzstd-dev liblz4-dev zlib1g-dev libsnappy-dev
libisal-dev libcmocka-dev librdkafka-dev"
kernel="clang libbpf-dev bpftool"
case ${1:-} in
test) packages="$packages $kernel kcat procps" ;;
kernel) packages="$packages $kernel" ;;
esac
missing=
for package in $packages; do
	dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
echo "installing:$missing"
sudo=
[ "$(id -u)" = 0 ] || sudo=sudo
$sudo apt-get update -qq
DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null
