#!/usr/bin/env bash
# Makes the inputs of the notebooks and executes them in a fresh virtual environment, from a fresh clone:
#
#   notebooks/run.sh                 a scaled-down day, about a minute
#   FULL=1 notebooks/run.sh          the whole triton-day, as committed
#
# Then `target/notebook-venv/bin/python -m pip install jupyterlab` if you want to read on interactively.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --release --quiet
rm -rf target/notebook-venv
python3.11 -m venv target/notebook-venv
target/notebook-venv/bin/pip install --quiet --disable-pip-version-check -r notebooks/requirements.txt
# In the folder that scripts/check-python.sh builds in too.
CARGO_TARGET_DIR="$PWD/crates/py/target" target/notebook-venv/bin/pip install --quiet --disable-pip-version-check ./crates/py
target/notebook-venv/bin/python -m pytest notebooks -q
