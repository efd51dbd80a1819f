"""Sweeps: which engine does the runs."""

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from os import PathLike, fspath

from . import _scalelab

ENGINES = ("local", "ray")


def sweep(
    scenario: _scalelab.Scenario,
    over: Mapping[str, Iterable[str | float | bool]],
    policies: str | Sequence[str] | None = None,
    replications: int | None = None,
    seed: int | None = None,
    jobs: int | None = None,
    progress: Callable[[int, int], object] | None = None,
    folder: str | PathLike[str] | None = None,
    resume: bool = False,
    engine: str = "local",
    address: str | None = None,
    runs_per_task: int | None = None,
) -> _scalelab.Table:
    """Runs a scenario at every combination of the values in `over`, a path and a list of values each.

    The table has a row for each point, policy and replication, the same whatever the engine. `folder` keeps finished runs, and `resume`
    goes on with what it has. `engine="ray"` has the runs done by a Ray cluster (`address`, or the one Ray finds), in tasks of
    `runs_per_task`; `folder` must then be one that every node sees.
    """
    if engine not in ENGINES:
        near = difflib.get_close_matches(str(engine), ENGINES, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"engine={engine!r}: no such engine{hint} (one of: {', '.join(ENGINES)})")
    if folder is not None and "://" in fspath(folder):
        raise ValueError(
            f"folder={fspath(folder)!r}: from Python a sweep is kept in a folder; `scalelab sweep SWEEP -o {fspath(folder)}` keeps one in a bucket"
        )
    # What is walked through twice must not be an iterator.
    over = {path: list(values) for path, values in over.items()}
    question = {"over": over, "policies": policies, "replications": replications, "seed": seed}
    if engine == "local":
        given = {"address": address, "runs_per_task": runs_per_task}
        if unused := [name for name, value in given.items() if value is not None]:
            raise ValueError(f'{unused[0]}=: only with engine="ray"')
        return _scalelab.sweep(scenario, **question, jobs=jobs, progress=progress, folder=folder, resume=resume)
    if jobs is not None:
        raise ValueError('jobs=: with engine="ray" a task has one CPU, and the cluster decides how many there are at once')
    # Only now, so that Ray is needed by those who ask for it.
    from . import _ray

    return _ray.sweep(scenario, question, folder, resume, address, runs_per_task, progress)
