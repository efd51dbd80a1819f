"""Do sweeps, searches and validations from Python find what the program finds?"""

import polars
import pytest

import scalelab
from conftest import ROOT

OWN = ROOT / "scenarios" / "own-policy"


@pytest.fixture(scope="module")
def small():
    return scalelab.load(OWN, allow_exec=True).set("run.duration", "5m")


def test_a_sweep_has_a_row_for_each_run_and_is_the_programs(program, tmp_path):
    queue = ROOT / "scenarios" / "theory" / "mm8"
    over = {"policies.static.static.replicas": [8, 9], "traffic.scale": ["50%", "100%"]}
    shorter = scalelab.load(queue).set("run.duration", "20m")
    table = scalelab.sweep(shorter, over, policies=["static"], replications=2, seed=3)
    assert len(table) == 2 * 2 * 2
    written = tmp_path / "sweep.yaml"
    written.write_text(
        "apiVersion: scalelab.dev/v1\nkind: Sweep\n"
        f"scenario: {queue}\npolicies: [static]\nreplications: 2\nseed: 3\n"
        "axes:\n- {path: policies.static.static.replicas, values: [8, 9]}\n- {path: traffic.scale, values: [50%, 100%]}\n"
    )
    program("sweep", written, "--set", "run.duration=20m", "--quiet", "-o", tmp_path / "out")
    assert table.to_csv() == (tmp_path / "out" / "results.csv").read_bytes()


def test_a_sweep_in_a_folder_goes_on_where_it_was(small, tmp_path):
    over = {"policies.static.static.replicas": [2, 3]}
    first = scalelab.sweep(small, over, policies=["static"], replications=1, folder=tmp_path / "sweep")
    again = scalelab.sweep(small, over, policies=["static"], replications=1, folder=tmp_path / "sweep", resume=True)
    assert first.to_csv() == again.to_csv()
    with pytest.raises(scalelab.ScenarioError):
        scalelab.sweep(small, over, policies=["static"], replications=1, folder=tmp_path / "sweep")


def test_a_bucket_is_no_folder_of_that_name(small, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for engine in ["local", "ray"]:
        with pytest.raises(ValueError, match="scalelab sweep SWEEP -o s3://lab/a"):
            scalelab.sweep(small, {"traffic.scale": ["50%"]}, folder="s3://lab/a", engine=engine)
    assert not any(tmp_path.iterdir())


def test_a_slip_in_a_sweep_is_said_before_the_first_run(small):
    with pytest.raises(scalelab.ScenarioError, match="did you mean"):
        scalelab.sweep(small, {"policies.static.static.replica": [2, 3]})


def test_a_search_finds_the_fewest_replicas_that_hold(small):
    over = {"policies.static.static.replicas": "1..5"}
    found = scalelab.optimize(small, over, ["slo_attainment >= 0.95"], policy="static", runs=30)
    assert list(found.best) == ["policies.static.static.replicas"]
    fewest = int(found.best["policies.static.static.replicas"])
    tried = polars.DataFrame(found.tried)
    assert tried.filter(polars.col("conditions") == "hold")["replicas"].cast(polars.Int64).min() == fewest
    assert "best: --set policies.static.static.replicas" in str(found)
    small.set("policies.static.static.replicas", found.best["policies.static.static.replicas"])


def test_a_search_without_a_condition_is_refused(small):
    with pytest.raises(scalelab.ScenarioError, match="nothing must hold"):
        scalelab.optimize(small, {"policies.static.static.replicas": "1..5"})


def test_a_validation_says_what_the_program_says(program, tmp_path):
    folder = ROOT / "scenarios" / "validation" / "llmd-symmetrical-static"
    [found] = scalelab.validate(folder, replications=2, sweep=False)
    import json

    words = ["validate", folder, "--replications", 2, "--no-sweep", "--quiet", "--json", tmp_path / "out.json"]
    program(*words, expect=0 if found.is_inside else 1)
    said = json.loads((tmp_path / "out.json").read_text())
    assert found.to_dict() == said
