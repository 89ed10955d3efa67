#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# pure.sh LIBPURE LIBABOVE
# The pure layers may call only what pure.allow names; the layers above io may call
# nothing that seam.deny names: the world is reached through io alone.
set -eu
here=$(dirname "$0")
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
nm -u "$1" | awk '$1 == "U" { print $2 }' | sort -u > "$tmp/wants"
nm --defined-only "$1" | awk 'NF == 3 { print $3 }' | sort -u > "$tmp/has"
sort -u "$here/pure.allow" "$tmp/has" | comm -23 "$tmp/wants" - > "$tmp/bad"
[ ! -s "$tmp/bad" ] || { echo "the pure layers call:" $(cat "$tmp/bad"); exit 1; }
nm -u "$2" | awk '$1 == "U" { print $2 }' | sort -u > "$tmp/above"
sort -u "$here/seam.deny" | comm -12 "$tmp/above" - > "$tmp/bad"
[ ! -s "$tmp/bad" ] || { echo "above io, not through the seam:" $(cat "$tmp/bad"); exit 1; }
