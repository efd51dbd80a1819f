#!/usr/bin/env bash
# Builds the lab's engine, writes lab pages of shipped scenarios and compares their runs with the program's, digest by digest. With `browser` as
# argument, opens one of them in Chromium too. Needs node.
set -euo pipefail
cd "$(dirname "$0")/.."
scalelab=${SCALELAB:-target/release/scalelab}
module=target/lab/scalelab-lab.wasm
[ -n "${LAB_MODULE_IS_BUILT:-}" ] || bash scripts/build-lab.sh
mkdir -p target/lab/check
for scenario in triton-day:run.duration=2h llm-hour:run.duration=10m spot-day:run.duration=3h; do
  name=${scenario%%:*} set=${scenario#*:}
  "$scalelab" run "scenarios/$name" --set "$set" --set run.replications=2 --quiet -o "target/lab/check/$name" >/dev/null
  "$scalelab" lab "scenarios/$name" --set "$set" --set run.replications=2 --module "$module" -o "target/lab/check/$name.html" >/dev/null
  node scripts/lab-digests.mjs "target/lab/check/$name.html" "target/lab/check/$name/run.json"
done
"$scalelab" lab scenarios/triton-day --module "$module" -o target/lab/check/whole-day.html >/dev/null
size=$(wc -c <target/lab/check/whole-day.html)
[ "$size" -lt 4000000 ] || { echo "lab.html of triton-day has $size bytes; 4 MB are the most it may"; exit 1; }
echo "lab.html of triton-day: $size bytes"
if [ "${1:-}" = browser ]; then
  home=target/browser
  mkdir -p "$home"
  cmp -s browser/package.json "$home/package.json" || { rm -rf "$home/node_modules"; cp browser/package.json "$home/package.json"; }
  [ -d "$home/node_modules/playwright-core" ] || (cd "$home" && npm install --no-package-lock --no-audit --no-fund --silent --ignore-scripts)
  NODE_PATH="$PWD/$home/node_modules" node browser/lab.test.js
fi
