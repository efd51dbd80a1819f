#!/usr/bin/env bash
# Holds what the feature `object-store` adds against a server that speaks S3, on this machine.
#
#   scripts/check-object-storage.sh             the crate
#   scripts/check-object-storage.sh PROGRAM     a program that was built with the feature, as its users call it
#
# Needs CPython with venv, which gets moto's server; without it what needs one is skipped, and said so.
set -euo pipefail
cd "$(dirname "$0")/.."
home=$PWD/target/object-storage
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

if [ $# = 0 ]; then
  cargo test --release -p scalelab-storage --features object-store -- --nocapture
  exit
fi

scalelab=$(realpath "$1")
[ -n "$server" ] || exit 0
export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_REGION=us-east-1 AWS_ENDPOINT="$SCALELAB_S3_ENDPOINT"
desk="$home/desk"
rm -rf "$desk" && mkdir -p "$desk" && cp -r crates/cli/tests/data/. "$desk" && cd "$desk"
export SCALELAB_CACHE_DIR="$desk/cache" TMPDIR="$desk/tmp" && mkdir "$TMPDIR"

bucket() { # bucket make | bucket get KEY FILE | bucket put FILE KEY
  "$home/venv/bin/python" - "$@" <<'PYTHON'
import boto3, os, sys
s3 = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT"])
match sys.argv[1:]:
    case ["make"]: s3.create_bucket(Bucket="lab")
    case ["get", key, file]: s3.download_file("lab", key, file)
    case ["put", file, key]: s3.upload_file(file, "lab", key)
PYTHON
}
refused() { # refused CODE WORDS COMMAND…
  local code=0 told
  told=$("${@:3}" 2>&1) || code=$?
  [ "$code" = "$1" ] && [[ "$told" == *"$2"* ]] || { echo "expected $1 and \`$2\`, got $code: $told"; exit 1; }
}
bucket make

echo "a run: byte for byte that of a disk, and read back"
"$scalelab" run service hpa --quiet -o here
"$scalelab" run service hpa --quiet -o s3://lab/run
for table in summary.csv decisions.csv timeline.parquet plots/overview.svg; do
  bucket get "run/$table" got && cmp got "here/$table"
done
"$scalelab" run --from s3://lab/run/run.json --quiet -o s3://lab/again
"$scalelab" diff s3://lab/run s3://lab/again | grep -q "nothing changed"
"$scalelab" check service hpa --baseline s3://lab/again --gate 'cost_usd <= baseline' --quiet
"$scalelab" explain s3://lab/run --policy hpa --at +10m > /dev/null
"$scalelab" report s3://lab/run > /dev/null

echo "a sweep: three pods of a Job, one killed, merged to the bytes of one process"
sed -i 's/replications: 2/replications: 200/' sweep.yaml
"$scalelab" sweep sweep.yaml --quiet -o whole > /dev/null
JOB_COMPLETION_INDEX=0 "$scalelab" sweep sweep.yaml --quiet --jobs 1 -o s3://lab/sweep/part-0 --shard job/3 --resume &
sleep 0.5 && kill -9 $! && wait $! 2> /dev/null || true
rm -rf "${TMPDIR:?}"/*
for index in 0 1 2; do
  JOB_COMPLETION_INDEX=$index "$scalelab" sweep sweep.yaml --quiet -o "s3://lab/sweep/part-$index" --shard job/3 --resume
done
"$scalelab" merge s3://lab/sweep -o s3://lab/sweep/merged > /dev/null
for file in results.csv results.parquet; do bucket get "sweep/merged/$file" got && cmp got "whole/$file"; done
refused 2 "holds a sweep already" "$scalelab" sweep sweep.yaml --quiet -o s3://lab/sweep/part-0
refused 2 "holds a sweep; name another" "$scalelab" run service hpa --quiet -o s3://lab/sweep/part-0

echo "a trace: as if it were beside the scenario"
printf 'arrival\n' > day.csv && seq 0 0.5 1200 >> day.csv
bucket put day.csv traces/day.csv
"$scalelab" run service hpa --set 'traffic={"trace": {"file": "day.csv", "format": "columns", "columns": {"arrival": "arrival"}}}' --quiet -o near
"$scalelab" run service hpa --set 'traffic={"trace": {"file": "s3://lab/traces/day.csv", "format": "columns", "columns": {"arrival": "arrival"}}}' --quiet -o far
cmp near/summary.csv far/summary.csv
refused 2 "s3://lab/traces/night.csv: cannot be read: there is no such object" \
  "$scalelab" run service hpa --set 'traffic={"trace": {"file": "s3://lab/traces/night.csv", "format": "columns", "columns": {"arrival": "arrival"}}}' --quiet -o no

echo "what is wrong is told, and nothing is left"
refused 2 "there is no bucket \`nowhere\`" "$scalelab" run service hpa --quiet -o s3://nowhere/run
refused 2 "did you mean \`s3://\`" "$scalelab" run service hpa --quiet -o s3a://lab/run
refused 2 "no bucket read or written here" "$scalelab" init --manifests hpa -o s3://lab/init
refused 2 "has no run.json: nothing is there" "$scalelab" diff s3://lab/none s3://lab/run
AWS_ENDPOINT=http://127.0.0.1:9 refused 3 "no answer when asked to write to it" "$scalelab" run service hpa --quiet -o s3://lab/run
test -z "$(ls -A "$TMPDIR")" || { echo "left behind: $(ls "$TMPDIR")"; exit 1; }
test ! -e s3: && test ! -e no
echo "results, sweeps and traces in a bucket: as on a disk"
