#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The Go clients: franz-go, sarama, segmentio's kafka-go.
. "$(dirname "$0")/lib.sh"
. "$here/clients.sh"
need go

mkdir -p "$cache/go"
(cd "$here/go" && GOFLAGS=-mod=readonly go build -o "$cache/go/" ./franz ./sarama ./segmentio) >"$dir/go.log" 2>&1 || {
	cat "$dir/go.log"
	grep -q 'dial tcp\|no such host\|i/o timeout\|proxyconnect' "$dir/go.log" && skip "the Go module proxy does not answer"
	die "go build"
}
for client in ${CLIENTS:-franz sarama segmentio}; do
	client_run $client "$cache/go/$client"
done
