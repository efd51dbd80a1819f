"""Is what is given by name used, or refused with its value?"""

import numpy
import polars
import pytest

import scalelab
from conftest import ROOT


@pytest.fixture(scope="module")
def small():
    return scalelab.load(ROOT / "scenarios" / "own-policy", allow_exec=True).set("run.duration", "5m")


@pytest.mark.parametrize("value", [numpy.int64(4), numpy.uint8(4)])
def test_numbers_of_numpy_are_numbers(small, value):
    changed = small.set("policies.static.static.replicas", value)
    assert changed.changes[-1] == "policies.static.static.replicas=4"


def test_an_axis_may_be_an_array(small):
    runs = scalelab.sweep(small, {"policies.static.static.replicas": numpy.arange(2, 4)}, policies="static", replications=1)
    assert polars.DataFrame(runs)["replicas"].to_list() == [2, 3]


@pytest.mark.parametrize("said", [numpy.int64(4), numpy.float32(4), numpy.ceil(3.2), {"replicas": numpy.int32(4)}])
def test_a_policy_may_answer_with_a_number_of_numpy(small, said):
    class Four:
        def decide(self, seen):
            return said

    found = small.with_policy("four", Four, replicas=3).run(policies="four", replications=1)
    assert polars.DataFrame(found.timeline)["ready"].max() == 4


@pytest.mark.parametrize("call", [
    lambda small: small.run(policies=[]),
    lambda small: scalelab.sweep(small, {"traffic.scale": ["50%"]}, policies=[]),
    lambda small: scalelab.optimize(small, {"policies.static.static.replicas": "1..5"}, subject_to=[]),
])
def test_an_empty_list_is_not_everything(small, call):
    with pytest.raises(ValueError, match=r"\[\]: names nothing"):
        call(small)


@pytest.mark.parametrize(("name", "value"), [("replications", 0), ("replications", 1.5), ("jobs", -1), ("seed", -1), ("seed", 2**64)])
def test_a_number_that_is_none_is_shown(small, name, value):
    with pytest.raises(ValueError, match=f"{value}: a whole number from") as caught:
        small.run(**{name: value})
    assert any(name in note for note in caught.value.__notes__)


def test_nothing_is_not_validated():
    with pytest.raises(TypeError, match="at least one folder"):
        scalelab.validate()


def test_a_value_that_was_set_stands_in_no_file(small):
    with pytest.raises(scalelab.ScenarioError) as caught:
        small.set("run.duration", "2 hours")
    assert (caught.value.file, caught.value.line) == (None, None)
