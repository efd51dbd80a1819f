#!/usr/bin/env bash
# packaging/build.sh TARGET: the archive of one platform below target/dist: binary, manual pages, completions, licences.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${1:?"a target triple, such as x86_64-unknown-linux-musl"}

bash scripts/build-lab.sh
# Packed, as the program takes it too: five megabytes less.
mkdir -p target/dist
gzip -9 -n < "${SCALELAB_LAB_MODULE:-target/lab/scalelab-lab.wasm}" > target/dist/lab.wasm.gz
export SCALELAB_LAB_MODULE=$PWD/target/dist/lab.wasm.gz
# Panics name places in sources, not the folders of the machine that built them: the same program wherever it is built.
flags="--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}/registry/src=registry --remap-path-prefix=$PWD=scalelab"
case $target in
  *-linux-*)
    # Relocations of a position-independent program in their short form: five megabytes less.
    flags="$flags -Clink-arg=-Wl,-z,pack-relative-relocs"
    # lld, which rustup's toolchains carry, keeps one of functions with the same machine code. Rust promises no function an address of its
    # own, so none may be told from another by it, and all may be folded.
    lld=$(rustc --print sysroot)/lib/rustlib/$(rustc -vV | sed -n 's/^host: //p')/bin/gcc-ld
    if [ -x "$lld/ld.lld" ]; then
      flags="$flags -Clink-arg=-B$lld -Clink-arg=-fuse-ld=lld -Clink-arg=-Wl,--icf=all"
    else
      echo "build: this toolchain has no lld ($lld): equal functions are kept, the program is larger" >&2
    fi ;;
esac
export RUSTFLAGS="${RUSTFLAGS:-} $flags"
cargo build --locked --profile dist --target "$target" --package scalelab --features object-store
binary=target/$target/dist/scalelab

stage=target/dist/stage-$target
rm -rf "$stage" && mkdir -p "$stage/man" "$stage/completions"
cp "$binary" LICENSE-MIT LICENSE-APACHE README.md "$stage"
"$binary" man > "$stage/man/scalelab.1"
for shell in bash zsh fish; do "$binary" completions "$shell" > "$stage/completions/scalelab.$shell"; done
tar -C "$stage" -cf - scalelab README.md LICENSE-MIT LICENSE-APACHE man completions | gzip -n > "target/dist/scalelab-$target.tar.gz"
ls -l "target/dist/scalelab-$target.tar.gz"
