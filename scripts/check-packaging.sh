#!/usr/bin/env bash
# Holds what a release is made of against what reads it: crates as a registry takes them, workflows and the action against GitHub's schemas, the
# manifests of krew and Homebrew filled in with checksums and read back, the shell scripts for syntax. Nothing is built or sent.
set -euo pipefail
cd "$(dirname "$0")/.."
home=target/packaging
mkdir -p "$home"
for script in packaging/*.sh scripts/*.sh; do bash -n "$script"; done

for archive in x86_64-unknown-linux-musl aarch64-unknown-linux-musl x86_64-apple-darwin aarch64-apple-darwin; do
  printf '%s  scalelab-%s.tar.gz\n' "$(printf %s "$archive" | sha256sum | cut -d' ' -f1)" "$archive"
done > "$home/SHA256SUMS"
bash packaging/render.sh 1.2.3 owner/scalelab "$home/SHA256SUMS" "$home"
! grep -n '@[A-Z]' "$home/scalelab.yaml" "$home/scalelab.rb" || { echo "a field is not filled in"; exit 1; }
head -n 3 "$home/SHA256SUMS" > "$home/short"
if bash packaging/render.sh 1.2.3 owner/scalelab "$home/short" "$home" 2>/dev/null; then echo "a missing checksum goes unnoticed"; exit 1; fi

# What `cargo install scalelab` would fetch: every crate but those that only serve tests, each with the files it embeds.
cargo package --workspace --exclude scalelab-testkit --exclude scalelab-benches --exclude scalelab-playground-wasm \
  --no-verify --allow-dirty --quiet --target-dir "$home/crates" 2> "$home/crates.log" || { cat "$home/crates.log"; exit 1; }
for embedded in prices/data/catalog.csv calibrate/presets/llm.csv scenario/triton-day/scenario.yaml report/assets/report.html; do
  crate=scalelab-${embedded%%/*}-0.1.0
  tar -xzOf "$home/crates/package/$crate.crate" "$crate/${embedded#*/}" | cmp - "crates/$embedded"
done

[ -x "$home/venv/bin/python" ] || python3 -m venv "$home/venv"
"$home/venv/bin/pip" install --quiet --disable-pip-version-check check-jsonschema==0.37.2 || { echo "skipped: check-jsonschema cannot be had here"; exit 0; }
"$home/venv/bin/check-jsonschema" --builtin-schema vendor.github-workflows .github/workflows/*.yml
"$home/venv/bin/check-jsonschema" --builtin-schema vendor.github-actions action.yml
"$home/venv/bin/python" packaging/test_manifests.py "$home"
