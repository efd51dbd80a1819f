#!/usr/bin/env bash
# Opens the pages that runs write in Debian's Chromium and does what a reader does: zoom, choose, sort, print, a phone, axe.
#
#   browser/run.sh                    pages of target/ci, those that are missing from short runs
#   browser/run.sh FOLDER ...         pages of these folders of results
#
# It needs Node and npm; Chromium is installed where that is possible. Where it is not, this says "skipped" and succeeds.
set -euo pipefail
cd "$(dirname "$0")/.."
skip() { echo "skipped: $*"; exit 0; }

command -v npm >/dev/null || { apt-get install -y -qq npm >/dev/null 2>&1 || true; }
command -v npm >/dev/null || skip "no npm, and it cannot be installed here"
if ! command -v chromium >/dev/null; then
  { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; } >/dev/null 2>&1 || true
fi
command -v chromium >/dev/null || skip "no chromium, and it cannot be installed here"

home=target/browser
mkdir -p "$home"
if ! cmp -s browser/package.json "$home/package.json"; then
  rm -rf "$home/node_modules"
  cp browser/package.json "$home/package.json"
fi
if [ ! -d "$home/node_modules/playwright-core" ]; then
  (cd "$home" && npm install --no-package-lock --no-audit --no-fund --silent --ignore-scripts) || { rm -f "$home/package.json"; skip "npm cannot install playwright-core here"; }
fi

pages=("$@")
if [ ${#pages[@]} -eq 0 ]; then
  for scenario in triton-day llm-hour model-zoo; do
    if [ ! -s "target/ci/$scenario/report.html" ]; then
      cargo run --release --quiet -- run "scenarios/$scenario" --replications 1 --set run.duration=1h --quiet -o "$home/$scenario"
      pages+=("$home/$scenario")
    else
      pages+=("target/ci/$scenario")
    fi
  done
fi
NODE_PATH="$PWD/$home/node_modules" node browser/report.test.js "${pages[@]}"
