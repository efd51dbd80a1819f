"""Does a Ray cluster give the rows of one process, also when a node is lost, and is nothing done twice that was finished?"""

import os
import pathlib
import signal
import sys

import pytest

import scalelab
from conftest import ROOT

ray = pytest.importorskip("ray", reason="Ray is not installed")
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

from ray.cluster_utils import Cluster  # noqa: E402
from scalelab import _ray, _scalelab  # noqa: E402

QUEUE = ROOT / "scenarios" / "theory" / "mm8"
# 10 x 10 points, 10 replications.
OVER = {"policies.static.static.replicas": list(range(6, 16)), "traffic.scale": [f"{share}%" for share in range(10, 110, 10)]}
QUESTION = {"over": OVER, "policies": ["static"], "replications": 10, "seed": 3}
RUNS = 1_000


@pytest.fixture(scope="module")
def queue():
    return scalelab.load(QUEUE).set("run.duration", "20m")


@pytest.fixture(scope="module")
def rows(program, tmp_path_factory):
    """Of the program on one thread."""
    folder = tmp_path_factory.mktemp("program")
    axes = "".join(f"- {{path: {path}, values: [{', '.join(map(str, values))}]}}\n" for path, values in OVER.items())
    (folder / "sweep.yaml").write_text(
        f"apiVersion: scalelab.dev/v1\nkind: Sweep\nscenario: {QUEUE}\npolicies: [static]\nreplications: 10\nseed: 3\naxes:\n{axes}"
    )
    program("sweep", folder / "sweep.yaml", "--set", "run.duration=20m", "--quiet", "--jobs", 1, "-o", folder / "out")
    return (folder / "out" / "results.csv").read_bytes()


@pytest.fixture(scope="module")
def cluster():
    """Three nodes on this machine, a CPU each."""
    memory = {"object_store_memory": 80 << 20}
    found = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False, **memory})
    found.workers = [found.add_node(num_cpus=1, **memory) for _ in range(2)]
    found.wait_for_nodes()
    yield found
    ray.shutdown()
    found.shutdown()


def lose(cluster):
    """A node as it is lost: all its processes at once, what they are at unfinished."""
    node = cluster.workers.pop()
    raylet = node.all_processes["raylet"][0].process.pid
    children = pathlib.Path(f"/proc/{raylet}/task/{raylet}/children").read_text().split()
    for process in [raylet, *map(int, children)]:
        os.kill(process, signal.SIGKILL)
    cluster.remove_node(node, allow_graceful=False)


def test_a_node_that_is_killed_in_the_middle_changes_nothing(queue, rows, cluster, tmp_path):
    seen = []

    def kill(finished, total):
        seen.append((finished, total))
        if len(seen) == 2:
            lose(cluster)

    folder = tmp_path / "sweep"
    table = scalelab.sweep(
        queue, **QUESTION, engine="ray", address=cluster.address, folder=folder, runs_per_task=100, progress=kill
    )
    assert len(table) == RUNS
    assert table.to_csv() == rows
    assert (folder / "results.csv").read_bytes() == rows
    assert seen[-1] == (RUNS, RUNS)
    assert seen[1][0] <= RUNS // 2, "killed when most was done"
    parts = sorted(found.name for found in (folder / "parts").iterdir())
    assert parts == [f"{part:05}" for part in range(10)], "an attempt was left"
    assert all((folder / "parts" / part / "results.parquet").exists() for part in parts)
    # Whole: read again, nothing is run.
    again = scalelab.sweep(queue, **QUESTION, engine="ray", folder=folder, resume=True)
    assert again.to_csv() == rows


def test_what_is_finished_is_kept_and_gone_on_with(queue, rows, cluster, tmp_path):
    folder = tmp_path / "sweep"

    def stop(finished, total):
        raise RuntimeError("enough")

    common = {**QUESTION, "engine": "ray", "address": cluster.address, "folder": folder}
    with pytest.raises(RuntimeError, match="enough"):
        scalelab.sweep(queue, **common, runs_per_task=200, progress=stop)
    whole = {found: found.stat().st_mtime_ns for found in folder.glob("parts/?????/journal.jsonl")}
    assert 1 <= len(whole) < 5
    with pytest.raises(scalelab.ScenarioError, match="resume=True"):
        scalelab.sweep(queue, **common)
    with pytest.raises(scalelab.ScenarioError, match="another sweep"):
        scalelab.sweep(queue, **{**common, "seed": 4}, resume=True)
    with pytest.raises(scalelab.ScenarioError, match="was begun with 200"):
        scalelab.sweep(queue, **common, resume=True, runs_per_task=100)
    assert scalelab.sweep(queue, **common, resume=True).to_csv() == rows
    assert {found: found.stat().st_mtime_ns for found in whole} == whole, "a finished task was done again"


def test_an_attempt_takes_over_what_earlier_ones_finished(queue, tmp_path):
    question = {**QUESTION, "replications": 1}
    parts = tmp_path / "parts"
    lost = parts / "00002.lost"
    scalelab._scalelab.sweep_part(queue, **question, shard="3/4", folder=lost, earlier=[])
    journal = (lost / "journal.jsonl").read_bytes()
    # It was killed in the middle of a line; another was before it had written its first.
    (lost / "journal.jsonl").write_bytes(journal[: len(journal) * 3 // 5])
    (parts / "00002.sooner").mkdir()
    kept = journal[: len(journal) * 3 // 5].count(b"\n") - 1
    probe = _scalelab.sweep_part(queue, **question, shard="3/4", folder=tmp_path / "probe", earlier=[lost])
    assert probe == 25 - kept
    assert _ray._do((queue, question), str(tmp_path), 2, 4, scalelab.__version__) == 2
    assert (parts / "00002" / "results.parquet").read_bytes() == (tmp_path / "probe" / "results.parquet").read_bytes()
    assert not lost.exists()
    # An attempt that had been given up comes to its end: what is there stays.
    before = (parts / "00002" / "journal.jsonl").stat().st_mtime_ns
    assert _ray._do((queue, question), str(tmp_path), 2, 4, scalelab.__version__) == 2
    assert (parts / "00002" / "journal.jsonl").stat().st_mtime_ns == before


def test_slips_are_said_before_a_cluster_is_asked(queue, tmp_path, monkeypatch):
    over = {"policies.static.static.replicas": [8]}
    with pytest.raises(ValueError, match="did you mean 'ray'"):
        scalelab.sweep(queue, over, engine="rey")
    with pytest.raises(ValueError, match="folder="):
        scalelab.sweep(queue, over, engine="ray")
    with pytest.raises(ValueError, match="address=: only with"):
        scalelab.sweep(queue, over, address="auto")
    with pytest.raises(ValueError, match="jobs="):
        scalelab.sweep(queue, over, engine="ray", jobs=2, folder=tmp_path)
    with pytest.raises(scalelab.ScenarioError, match="did you mean"):
        scalelab.sweep(queue, {"policies.static.static.replica": [8]}, engine="ray", folder=tmp_path)
    with pytest.raises(scalelab.ScenarioError, match="this node has"):
        _ray._do((queue, QUESTION), str(tmp_path), 0, 1, "0.0.0")
    assert not list(tmp_path.iterdir())
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "scalelab._ray")
    monkeypatch.delattr(scalelab, "_ray")
    with pytest.raises(ImportError, match="pip install"):
        scalelab.sweep(queue, over, engine="ray", folder=tmp_path)
