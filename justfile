# Optional: the two commands of the README need no `just`.

# List the recipes.
default:
    @just --list

# What CI runs.
check:
    bash .ci/run

# All tests.
test:
    cargo test --release --workspace

# The main job on the built-in scenario.
run *ARGS:
    cargo run --release -- run {{ARGS}}

# The benches, with the probe of the least possible cost beside them if it is there.
bench *ARGS:
    cargo bench -p scalelab-benches {{ARGS}}
