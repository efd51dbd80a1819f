"""Sweeps on a Ray cluster.

The points are shared out to tasks as shards are: task I of N has every N-th point. Each attempt at a task writes into a folder of its own
and gives it its final name when it is whole, so that a node which was given up and goes on writing disturbs nobody; the next attempt
takes over what the journals of earlier ones have. At the end the journals are put together, where a run is known by its point, policy and
replication: each comes once, and the rows are those of one process, byte for byte.

    folder/ray.json             what is shared out, and into how many tasks
    folder/parts/00007/         a finished task: journal.jsonl, results.parquet
    folder/parts/00007.x1y2z3/  an attempt at one
    folder/journal.jsonl        all of it, with results.csv and results.parquet
"""

import json
import os
import pathlib
import shutil
import uuid

from . import _scalelab

try:
    import ray
    from ray.exceptions import RayError, RayTaskError
except ImportError as error:
    raise ImportError("engine=\"ray\" needs Ray, which is not installed here: pip install 'scalelab[ray]'") from error

# Runs of a task unless it is said: with those of a second each, some minutes; what starting a task costs is small beside them.
RUNS_PER_TASK = 250
RUNS_PER_TASK_MAX = 1_000_000
# Attempts at a task after the first. Each takes over what was finished, so a node that is taken away again and again still leaves something.
RETRIES = 10


def sweep(scenario, question, folder, resume, address, runs_per_task, progress):
    """The table of all runs; see `scalelab.sweep`."""
    if folder is None:
        raise ValueError('engine="ray" needs folder=, one that every node of the cluster sees under the same path')
    if runs_per_task is not None and not 1 <= runs_per_task <= RUNS_PER_TASK_MAX:
        raise ValueError(f"runs_per_task={runs_per_task}: expected 1 to {RUNS_PER_TASK_MAX}")
    folder = pathlib.Path(folder).absolute()
    points, runs, fingerprint = _scalelab.sweep_plan(scenario, **question)
    if (folder / "journal.jsonl").exists():
        if resume and not (folder / "ray.json").exists():
            raise _failed(f'{folder} was begun by the local engine: go on without engine="ray", or choose another folder')
        # Whole already: whose it is and whether it may be read again is said there.
        return _scalelab.sweep(scenario, **question, progress=progress, folder=folder, resume=resume)
    parts = _shared_out(folder, resume, points, runs, fingerprint, runs_per_task)
    sizes = [len(range(part, points, parts)) * (runs // points) for part in range(parts)]
    _work(scenario, question, folder, address, sizes, progress)
    table, missing = _scalelab.sweep_merge([_part(folder, part) for part in range(parts)], folder)
    if missing:
        raise _scalelab.RunError(f"{folder}: {missing} of {runs} runs are missing; delete the folder and start anew")
    return table


def _shared_out(folder, resume, points, runs, fingerprint, runs_per_task):
    """Into how many tasks; the same as before when a sweep is gone on with."""
    note = folder / "ray.json"
    if note.exists():
        if not resume:
            raise _failed(f"{folder} holds a sweep already; go on with resume=True or choose another folder")
        found = json.loads(note.read_text())
        if found["sweep"] != fingerprint:
            raise _failed(f"{folder} holds another sweep (other points, policies, replications or seed)")
        if runs_per_task not in (None, found["runs_per_task"]):
            raise _failed(f"runs_per_task={runs_per_task}: {folder} was begun with {found['runs_per_task']}")
        return found["tasks"]
    runs_per_task = runs_per_task or RUNS_PER_TASK
    # The runs of a point stay together.
    tasks = min(points, -(-runs // runs_per_task))
    (folder / "parts").mkdir(parents=True, exist_ok=True)
    text = json.dumps({"version": _scalelab.__version__, "sweep": fingerprint, "tasks": tasks, "runs_per_task": runs_per_task})
    beginning = note.with_suffix(".tmp")
    beginning.write_text(text + "\n")
    os.replace(beginning, note)
    return tasks


def _work(scenario, question, folder, address, sizes, progress):
    """Has all tasks done that are not whole; `sizes` has the runs of each."""
    is_ours = not ray.is_initialized()
    if is_ours:
        ray.init(address=address, log_to_driver=False)
    elif address is not None:
        raise ValueError("address=: this process is connected to a Ray cluster already")
    try:
        task = ray.remote(num_cpus=1, max_retries=RETRIES, retry_exceptions=[_scalelab.RunError, OSError])(_do)
        common = ray.put((scenario, question))
        wanted = [part for part in range(len(sizes)) if not _part(folder, part).exists()]
        runs = sum(sizes)
        finished = runs - sum(sizes[part] for part in wanted)
        left = [task.remote(common, str(folder), part, len(sizes), _scalelab.__version__) for part in wanted]
        try:
            while left:
                # With a time, so that Ctrl-C is heard.
                done, left = ray.wait(left, timeout=1.0)
                for one in done:
                    finished += sizes[ray.get(one)]
                    if progress is not None:
                        progress(finished, runs)
        except BaseException:
            for one in left:
                ray.cancel(one, force=True)
            raise
    except RayTaskError as error:
        # What the task raised, as if it had been raised here.
        raise (error.cause if isinstance(error.cause, Exception) else error) from None
    except RayError as error:
        raise _scalelab.RunError(f"Ray: {error}; what is finished is in {folder}, go on with resume=True") from error
    except KeyboardInterrupt as error:
        interrupted = _scalelab.Interrupted("interrupted")
        interrupted.results = None
        raise interrupted from error
    finally:
        if is_ours:
            ray.shutdown()


def _do(common, folder, part, parts, version):
    """A task: does its runs and gives its number."""
    scenario, question = common
    if version != _scalelab.__version__:
        raise _failed(f"this node has scalelab {_scalelab.__version__}, and the sweep was started by {version}")
    final = _part(pathlib.Path(folder), part)
    if final.exists():
        # It was whole, and the node that knew was lost.
        return part
    attempt = final.with_name(f"{final.name}.{uuid.uuid4().hex[:12]}")
    earlier = [found for found in final.parent.glob(f"{final.name}.*") if _has_journal(found)]
    try:
        _scalelab.sweep_part(scenario, **question, shard=f"{part + 1}/{parts}", folder=attempt, earlier=earlier)
        os.rename(attempt, final)
    except (OSError, _scalelab.ScalelabError):
        # An attempt that had been given up may have come to its end meanwhile: the same runs, the same bytes.
        if not final.exists():
            raise
        shutil.rmtree(attempt, ignore_errors=True)
    for found in earlier:
        shutil.rmtree(found, ignore_errors=True)
    return part


def _part(folder, part):
    return folder / "parts" / f"{part:05}"


def _has_journal(folder):
    """Whether a run may be in it: a journal that has its first line."""
    try:
        with open(folder / "journal.jsonl", "rb") as journal:
            return journal.readline().endswith(b"\n")
    except OSError:
        return False


def _failed(message):
    """A mistake in what was given, as the engine raises it."""
    error = _scalelab.ScenarioError(message)
    error.message, error.file, error.line, error.column = message, None, None, None
    return error
