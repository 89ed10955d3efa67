#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# deps.sh [test]   Installs what the build (and the tests) need on Debian; does nothing where all of it is there.
set -eu
packages="gcc make pkg-config libssl-dev liburing-dev libzstd-dev liblz4-dev zlib1g-dev libsnappy-dev
libisal-dev libcmocka-dev librdkafka-dev"
[ "${1:-}" != test ] || packages="$packages kcat procps"
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
