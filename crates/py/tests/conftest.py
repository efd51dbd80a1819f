"""A scenario that takes seconds, and where the repository and the program are."""

import os
import pathlib
import signal
import subprocess

import pytest

import scalelab

ROOT = pathlib.Path(__file__).resolve().parents[3]
# Two of the policies of triton-day for two hours at a quarter of the traffic.
SMALLER = {"run.duration": "2h", "traffic.scale": "10%"}


@pytest.fixture(autouse=True)
def ctrl_c_is_heard():
    """Whoever starts the tests in the background has Ctrl-C ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def scenario():
    """A small triton-day."""
    found = scalelab.load(ROOT / "scenarios" / "triton-day")
    for path, value in SMALLER.items():
        found = found.set(path, value)
    return found


@pytest.fixture(scope="session")
def results(scenario):
    """Two policies, two replications."""
    return scenario.run(policies=["static", "hpa"], replications=2, jobs=2)


@pytest.fixture(scope="session")
def program():
    """Runs the program; SCALELAB names it."""
    binary = os.environ.get("SCALELAB", ROOT / "target" / "release" / "scalelab")

    def run(*arguments, expect=0):
        done = subprocess.run([str(binary), *map(str, arguments)], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == expect, done.stderr
        return done

    return run
