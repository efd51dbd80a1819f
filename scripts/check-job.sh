#!/usr/bin/env bash
# Holds what `scalelab sweep --emit-job` writes against the JSON schemas that Kubernetes publishes, of its oldest version that has all fields and of the newest.
#
#   scripts/check-job.sh           needs target/release/scalelab, or SCALELAB; CPython with venv
set -euo pipefail
cd "$(dirname "$0")/.."
scalelab="${SCALELAB:-$PWD/target/release/scalelab}"
test -x "$scalelab" || { echo "no program at $scalelab: cargo build --release"; exit 3; }
home=target/job
mkdir -p "$home"
[ -x "$home/venv/bin/python" ] || python3 -m venv "$home/venv"
"$home/venv/bin/pip" install --quiet --disable-pip-version-check kubernetes-validate==1.37.0 || { echo "skipped: kubernetes-validate cannot be had here"; exit 0; }

sweep=scenarios/sweeps/triton-threshold.yaml
"$scalelab" sweep "$sweep" --quiet --emit-job image=me/scalelab:1 shards=6 size=10Gi storageClass=fast namespace=lab > "$home/all.yaml"
"$scalelab" sweep "$sweep" --quiet --emit-job image=me/scalelab:1 shards=6 volume=results input=/scalelab/out/sweep.yaml > "$home/least.yaml"
"$scalelab" sweep "$sweep" --quiet --emit-job image=me/scalelab:1 shards=6 bucket=s3://lab/sweeps secret=bucket serviceAccount=sweeper > "$home/bucket.yaml"
for version in 1.29 1.37; do
  "$home/venv/bin/kubernetes-validate" --strict --quiet -k "$version" "$home/all.yaml" "$home/least.yaml" "$home/bucket.yaml"
done
# The check finds what it is there to find.
sed 's/backoffLimitPerIndex/backoffLimitPerIdx/' "$home/all.yaml" > "$home/wrong.yaml"
if "$home/venv/bin/kubernetes-validate" --strict -k 1.37 "$home/wrong.yaml" > /dev/null 2>&1; then echo "a wrong field goes unnoticed"; exit 1; fi
echo "manifests of --emit-job: valid for Kubernetes 1.29 and 1.37"
