#!/usr/bin/env bash
# Lets libFuzzer look for inputs that stop a reader: `scripts/fuzz.sh SECONDS [TARGET…]` gives each target so long, all of them if none is named.
# It begins with the good input of each reader and keeps what reaches something new in fuzz/corpus. Needs a C++ compiler; cargo-fuzz is built where it
# is missing. The stable compiler does: cargo-fuzz' flags are allowed by RUSTC_BOOTSTRAP.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:?"SECONDS [TARGET…]"}
shift
tools=$PWD/target/fuzz-tools
command -v cargo-fuzz >/dev/null || [ -x "$tools/bin/cargo-fuzz" ] || cargo install --quiet --locked cargo-fuzz@0.13.2 --root "$tools"
export PATH="$tools/bin:$PATH"
cargo run --quiet --release --example seeds -- fuzz/corpus
export RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=$PWD/target/fuzz
targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(cargo fuzz list)
for target in "${targets[@]}"; do
  cargo fuzz run --sanitizer none "$target" -- -max_total_time="$seconds" -timeout=10 -rss_limit_mb=4096 -max_len=65536 -print_final_stats=1
done
