"""The notebooks run from top to bottom, and say what the tables say.

Makes a small run and a small sweep with the built binary (SCALELAB, else target/release/scalelab), executes each notebook
headless on them, and looks at what came out. FULL=1 takes the whole scenario and keeps the executed notebook.
"""

import os
import pathlib
import subprocess

import nbformat
import polars as pl
import pytest
from nbclient import NotebookClient

ROOT = pathlib.Path(__file__).resolve().parent.parent
NOTEBOOK = ROOT / "notebooks" / "capacity-review.ipynb"
FULL = os.environ.get("FULL") == "1"
# A quarter of the traffic: the same shapes in a few seconds.
SMALLER = [] if FULL else ["--set", "traffic.scale=25%"]


def scalelab(*arguments):
    binary = os.environ.get("SCALELAB", ROOT / "target" / "release" / "scalelab")
    subprocess.run([str(binary), *map(str, arguments)], cwd=ROOT, check=True)


@pytest.fixture(scope="session")
def inputs(tmp_path_factory):
    """A run and a sweep of triton-day."""
    folder = tmp_path_factory.mktemp("review")
    scalelab("run", "scenarios/triton-day", *SMALLER, "--replications", "3", "--quiet", "-o", folder / "run")
    sweep = ROOT / "scenarios" / "triton-day" / "sweeps" / "threshold.yaml"
    scalelab("sweep", sweep, *SMALLER, "--quiet", "-o", folder / "sweep")
    return folder


@pytest.fixture(scope="session")
def executed(inputs):
    """The notebook after its last cell."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    os.environ["REVIEW_RUN"] = str(inputs / "run")
    os.environ["REVIEW_SWEEP"] = str(inputs / "sweep")
    NotebookClient(notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(NOTEBOOK.parent)}}).execute()
    if FULL:
        for cell in notebook.cells:
            cell.metadata.pop("execution", None)
        nbformat.write(notebook, NOTEBOOK)
    return notebook


def outputs(notebook):
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def text(notebook):
    printed = [output.get("text", "") for output in outputs(notebook)]
    shown = [output.get("data", {}).get("text/plain", "") for output in outputs(notebook)]
    return "\n".join(printed + shown)


def test_every_cell_runs_without_a_warning(executed):
    kinds = [output.output_type for output in outputs(executed)]
    assert "error" not in kinds
    stderr = [output.text for output in outputs(executed) if output.get("name") == "stderr"]
    assert stderr == []


def test_it_draws_cost_against_attainment_the_bill_the_day_and_the_sweep(executed):
    pictures = [output for output in outputs(executed) if "image/png" in output.get("data", {})]
    assert len(pictures) == 4
    assert all(len(picture.data["image/png"]) > 10_000 for picture in pictures)


def test_its_conclusion_is_the_one_of_the_table(executed, inputs):
    summary = pl.read_csv(inputs / "run" / "summary.csv")
    enough = summary.filter(pl.col("slo_attainment") >= 0.99).sort("cost_usd")
    said = text(executed)
    if enough.is_empty():
        assert "nobody meets" in said
    else:
        assert f"{enough['policy'][0]} is the cheapest" in said
        assert f"${enough['cost_usd'][0]:,.2f}" in said


def test_its_sweep_has_every_row_once(inputs):
    rows = pl.read_parquet(inputs / "sweep" / "results.parquet")
    assert rows.height == 6 * 2 * 2
    assert rows.select("point", "policy", "replication").is_unique().all()
    assert rows.equals(pl.read_csv(inputs / "sweep" / "results.csv", schema=rows.schema))


def test_nothing_of_this_machine_is_in_the_committed_notebook():
    committed = NOTEBOOK.read_text()
    assert str(ROOT) not in committed
    assert str(pathlib.Path.home()) + "/" not in committed
