"""Does a run from Python give what the program gives?"""

import signal
import threading
import time

import pytest

import scalelab
from conftest import ROOT, SMALLER


@pytest.fixture(scope="session")
def folder(program, tmp_path_factory):
    """What the program writes for the same run."""
    out = tmp_path_factory.mktemp("program")
    changes = [word for path, value in SMALLER.items() for word in ("--set", f"{path}={value}")]
    policies = ["--policy", "static", "--policy", "hpa"]
    program("run", "scenarios/triton-day", *changes, *policies, "--replications", 2, "--quiet", "-o", out)
    return out


def test_every_table_is_the_programs_byte_for_byte(results, folder):
    assert len(results.tables) == 12
    for name in results.tables:
        assert results.table(name).to_csv() == (folder / f"{name}.csv").read_bytes(), name


def test_the_verdict_is_the_programs(results, scenario, program, tmp_path):
    import json

    changes = [word for change in scenario.changes for word in ("--set", change)]
    words = ["run", ROOT / "scenarios" / "triton-day", *changes, "--policy", "static", "--policy", "hpa"]
    said = json.loads(program(*words, "--replications", 2, "--format", "json", "-o", tmp_path).stdout)["verdict"]
    found = results.verdict.to_dict()
    # Python proposes no command lines.
    for verdict in (said, found):
        verdict.pop("next")
        verdict["text"] = [line for line in verdict["text"] if not line.startswith("try")]
    assert found == said
    assert results.verdict.chosen == said["chosen"]


def test_the_number_of_threads_changes_nothing(scenario, results):
    again = scenario.run(policies=["static", "hpa"], replications=2, jobs=1)
    assert again.digests == results.digests
    assert again.summary.to_csv() == results.summary.to_csv()


def test_another_seed_is_another_history(scenario, results):
    other = scenario.run(policies=["static"], replications=1, seed=7)
    assert other.digests[0][2] != results.digests[0][2]


def test_progress_counts_to_the_end(scenario):
    seen = []
    scenario.run(policies=["static"], replications=3, progress=lambda finished, total: seen.append((finished, total)))
    assert seen[-1] == (3, 3)
    assert seen == sorted(seen)


def test_what_progress_raises_ends_the_run(scenario):
    def tired(finished, total):
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        scenario.run(policies=["static"], replications=50, jobs=1, progress=tired)


def test_other_threads_go_on_while_it_runs(scenario):
    counted, done = [0], threading.Event()

    def count():
        while not done.is_set():
            counted[0] += 1
            time.sleep(0.001)

    thread = threading.Thread(target=count)
    thread.start()
    scenario.run(policies=["static"], replications=60, jobs=1)
    done.set()
    thread.join()
    assert counted[0] > 20


def interrupt_after(seconds):
    threading.Timer(seconds, signal.raise_signal, [signal.SIGINT]).start()


def test_ctrl_c_ends_a_long_run_within_a_second():
    whole = scalelab.load(ROOT / "scenarios" / "triton-day")
    interrupt_after(0.5)
    begun = time.monotonic()
    with pytest.raises(scalelab.Interrupted) as caught:
        whole.run(policies=["hpa-as-published"], replications=1)
    assert time.monotonic() - begun < 1.5
    assert isinstance(caught.value, KeyboardInterrupt)
    assert caught.value.results is None


def test_ctrl_c_keeps_what_is_finished(scenario):
    def after_two(finished, total):
        if finished >= 2:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(scalelab.Interrupted) as caught:
        scenario.run(policies=["static"], replications=10_000, jobs=1, progress=after_two)
    kept = caught.value.results
    assert kept.is_interrupted
    assert 2 <= len(kept.replications) < 10_000


def test_a_notebook_shows_the_verdict_and_the_day(results):
    html = results._repr_html_()
    assert results.verdict.lines[0].split(": ", 1)[1].split(" ")[0] in html
    assert html.count("<svg") == 1
    assert "<script" not in html
