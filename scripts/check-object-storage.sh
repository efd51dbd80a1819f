#!/usr/bin/env bash
# Builds what the feature `object-store` adds and holds it against a server that speaks S3, on this machine.
#
#   scripts/check-object-storage.sh           needs CPython with venv, which gets moto's server; without it what needs one is skipped, and said so
set -euo pipefail
cd "$(dirname "$0")/.."
home=target/object-storage
mkdir -p "$home"

server=
trap 'if [ -n "$server" ]; then kill "$server"; fi' EXIT
if { [ -x "$home/venv/bin/python" ] || python3 -m venv "$home/venv"; } &&
  "$home/venv/bin/pip" install --quiet --disable-pip-version-check 'moto[server]==5.2.5'; then
  port=$("$home/venv/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  "$home/venv/bin/moto_server" -H 127.0.0.1 -p "$port" > "$home/server.log" 2>&1 &
  server=$!
  for _ in $(seq 100); do
    if (: < "/dev/tcp/127.0.0.1/$port") 2> /dev/null; then break; fi
    sleep 0.2
  done
  export SCALELAB_S3_ENDPOINT="http://127.0.0.1:$port"
else
  echo "skipped against a server: moto cannot be had here"
fi

cargo test --release -p scalelab-storage --features object-store -- --nocapture
