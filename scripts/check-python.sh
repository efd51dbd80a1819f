#!/usr/bin/env bash
# Builds the Python package with pip in a fresh virtual environment, as its users do, and runs its tests, which hold it against the program.
#
#   scripts/check-python.sh           needs target/release/scalelab, or SCALELAB; CPython 3.11 with venv
#
# The package is a workspace of its own and is built in a folder of its own: it shares nothing with the main one but sources.
set -euo pipefail
cd "$(dirname "$0")/.."
begun=$SECONDS
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/crates/py/target}"
export SCALELAB="${SCALELAB:-$PWD/target/release/scalelab}"
test -x "$SCALELAB" || { echo "no program at $SCALELAB: cargo build --release"; exit 3; }
(cd crates/py && cargo fmt --check)

venv=target/python-venv
rm -rf "$venv"
python3.11 -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check "./crates/py[test]"
echo "pip install ./crates/py: $((SECONDS - begun)) s"
"$venv/bin/pip" install --quiet --disable-pip-version-check ray==2.60.0 || echo "skipped: Ray cannot be had here, and sweeps on a Ray cluster are not tested"
# From another folder: the package that was installed, not the sources.
(cd crates/py/tests && "../../../$venv/bin/python" -m pytest -q -p no:cacheprovider .)
echo "the Python package: $((SECONDS - begun)) s in all"
