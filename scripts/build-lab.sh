#!/usr/bin/env bash
# Builds the engine as WebAssembly for `scalelab lab`: target/lab/scalelab-lab.wasm, where the command looks for it and where a build of the
# command embeds it from. Exit code 3: there is no compiler for it here. Needs rustup, or a Rust toolchain that has the standard library for wasm32-unknown-unknown.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo=${CARGO:-cargo}
target=wasm32-unknown-unknown
if ! [ -d "$(rustc --print sysroot)/lib/rustlib/$target" ]; then
  command -v rustup >/dev/null || { echo "build-lab: this Rust has no $target; install it with rustup, or as Debian's libstd-rust-dev-wasm32" >&2; exit 3; }
  rustup target add "$target" || { echo "build-lab: rustup cannot fetch $target here" >&2; exit 3; }
fi
# Features of the whole workspace are not those of the module: it is built with what it needs itself.
CARGO_RESOLVER_FEATURE_UNIFICATION=selected "$cargo" build --quiet --profile lab --target "$target" -p scalelab-playground-wasm
mkdir -p target/lab
cp "target/$target/lab/playground_wasm.wasm" target/lab/scalelab-lab.wasm
echo "target/lab/scalelab-lab.wasm: $(wc -c <target/lab/scalelab-lab.wasm) bytes"
