"""Are scenarios read, changed and refused as the program does?"""

import pickle
import re

import pytest

import scalelab
from conftest import ROOT

FOLDER = ROOT / "scenarios" / "theory" / "mm8"


def test_without_a_path_it_is_the_built_in_one():
    assert scalelab.load().name == "triton-day"


def test_a_change_gives_another_scenario():
    before = scalelab.load(FOLDER)
    after = before.set("run.replications", 3)
    assert (before.replications == 3, after.replications) == (False, 3)
    assert after.changes == ["run.replications=3"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("coldStart.imagePull", {"uniform": {"low": "0s", "high": "5s"}}),
        ("policies.hpa.spec.metrics[0].pods.target.averageValue", 5),
        ("traffic.scale", "150%"),
        ('prices["a2-highgpu-1g"].spot', "$2.12/h"),
    ],
)
def test_values_may_be_what_set_takes(path, value):
    scalelab.load().set(path, value)


def test_text_is_a_scenario_too():
    text = "\n---\n".join(path.read_text() for path in sorted(FOLDER.glob("*.yaml")))
    assert scalelab.Scenario.from_yaml(text, folder=FOLDER).name == scalelab.load(FOLDER).name


def test_a_slip_in_a_file_has_its_place(tmp_path):
    for path in FOLDER.glob("*.yaml"):
        (tmp_path / path.name).write_text(path.read_text().replace("replications:", "replikations:"))
    with pytest.raises(scalelab.ScenarioError) as caught:
        scalelab.load(tmp_path)
    error = caught.value
    lines = (tmp_path / "scenario.yaml").read_text().splitlines()
    assert error.file.endswith("scenario.yaml")
    assert lines[error.line - 1][error.column - 1 :].startswith("replikations")
    assert "did you mean `replications`?" in error.message
    assert str(error) == error.message


def test_a_slip_in_a_path_names_the_nearest():
    with pytest.raises(scalelab.ScenarioError, match="did you mean"):
        scalelab.load().set("run.durration", "2h")


def test_a_policy_that_is_not_there_is_refused():
    with pytest.raises(scalelab.ScenarioError, match="did you mean `hpa`"):
        scalelab.load().run(policies=["hpaa"])


def test_a_value_of_no_sort_is_refused():
    with pytest.raises(TypeError, match="not object"):
        scalelab.load().set("run.duration", object())


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(scalelab.ScenarioError) as caught:
        scalelab.load(tmp_path / "gone")
    assert caught.value.file.endswith("gone")
    assert caught.value.line is None


class Three:
    """Three replicas, always."""

    def decide(self, observation):
        return 3


@pytest.mark.parametrize("policy", [None, Three])
def test_a_scenario_is_the_same_after_pickle(scenario, policy):
    scenario = scenario.set("run.duration", "20m")
    if policy:
        scenario = scenario.with_policy("three", policy)
    names = ["static", "three" if policy else "hpa"]
    there = pickle.loads(pickle.dumps(scenario))
    # Where a note's passage stands is another place: the documents are one text now.
    what = lambda notes: [re.sub(r"^.*?:\d+:\d+: ", "", note) for note in notes]
    assert there.changes == scenario.changes and what(there.notes) == what(scenario.notes)
    run = {"policies": names, "replications": 1}
    assert there.run(**run).digests == scenario.run(**run).digests
