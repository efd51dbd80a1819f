#!/usr/bin/env bash
# A sweep of 2,000 points killed by SIGKILL in the middle and resumed, and the same in two shards, against one that was left alone.
#
#   bash results/evidence/resume.sh            # target/release/scalelab, or SCALELAB=/path/to/scalelab
set -euo pipefail
cd "$(dirname "$0")/../.."
scalelab="${SCALELAB:-target/release/scalelab}"
sweep=scenarios/sweeps/llm-2000.yaml
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
lines() { cat "$1" 2>/dev/null | wc -l; }
seconds() { local begun; begun=$(date +%s.%N); "$@"; echo "  wall $(echo "$(date +%s.%N) - $begun" | bc | cut -c1-6) s"; }

echo "uninterrupted:"
seconds "$scalelab" sweep "$sweep" -o "$work/whole" --quiet

echo "killed in the middle and resumed:"
"$scalelab" sweep "$sweep" -o "$work/killed" --quiet & victim=$!
while [ "$(lines "$work/killed/journal.jsonl")" -lt 1000 ]; do sleep 0.05; done
kill -KILL "$victim"
wait "$victim" 2>/dev/null || true
echo "  SIGKILL with $(($(lines "$work/killed/journal.jsonl") - 1)) runs in the journal; tables there: $(ls "$work/killed" | grep -c results || true)"
seconds "$scalelab" sweep "$sweep" -o "$work/killed" --resume --quiet

echo "two shards, merged:"
seconds "$scalelab" sweep "$sweep" -o "$work/one" --shard 1/2 --quiet
seconds "$scalelab" sweep "$sweep" -o "$work/two" --shard 2/2 --quiet
"$scalelab" merge "$work/one" "$work/two" -o "$work/merged" > /dev/null 2>&1

for folder in whole killed merged; do
  rows=$(($(lines "$work/$folder/results.csv") - 1))
  once=$(tail -n +2 "$work/$folder/results.csv" | sed 's/^\([0-9]*\),.*/\1/' | sort -un | wc -l)
  echo "$folder: $rows rows of $once different points, sha256 $(sha256sum < "$work/$folder/results.csv" | cut -c1-16)"
  test "$rows" = 2000 && test "$once" = 2000
  cmp "$work/whole/results.csv" "$work/$folder/results.csv"
  cmp "$work/whole/results.parquet" "$work/$folder/results.parquet"
done
echo "the three are byte for byte the same"
