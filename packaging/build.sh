#!/usr/bin/env bash
# packaging/build.sh TARGET: the archive of one platform below target/dist: binary, manual pages, completions, licences.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${1:?"a target triple, such as x86_64-unknown-linux-musl"}

bash scripts/build-lab.sh
SCALELAB_LAB_MODULE=${SCALELAB_LAB_MODULE:-$PWD/target/lab/scalelab-lab.wasm}
export SCALELAB_LAB_MODULE
# Relocations of a position-independent program in their short form: five megabytes less.
case $target in
  *-linux-*) export RUSTFLAGS="${RUSTFLAGS:-} -Clink-arg=-Wl,-z,pack-relative-relocs" ;;
esac
cargo build --locked --profile dist --target "$target" --package scalelab --features object-store
binary=target/$target/dist/scalelab

stage=target/dist/stage-$target
rm -rf "$stage" && mkdir -p "$stage/man" "$stage/completions"
cp "$binary" LICENSE-MIT LICENSE-APACHE README.md "$stage"
"$binary" man > "$stage/man/scalelab.1"
for shell in bash zsh fish; do "$binary" completions "$shell" > "$stage/completions/scalelab.$shell"; done
tar -C "$stage" -cf - scalelab README.md LICENSE-MIT LICENSE-APACHE man completions | gzip -n > "target/dist/scalelab-$target.tar.gz"
ls -l "target/dist/scalelab-$target.tar.gz"
