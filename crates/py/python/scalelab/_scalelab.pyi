"""What the engine offers to Python."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from os import PathLike
from typing import Any, Protocol, final

__version__: str

class ScalelabError(Exception):
    """What scalelab raises."""

class ScenarioError(ScalelabError):
    """The input is wrong. Line and column count from 1; what is not known is None."""

    message: str
    file: str | None
    line: int | None
    column: int | None

class RunError(ScalelabError):
    """The environment failed: disk, threads, a program."""

class Interrupted(KeyboardInterrupt):
    """Ctrl-C while runs were under way; what every policy finished is kept."""

    results: Results | None

def load(*paths: str | PathLike[str], plain: bool = False, allow_exec: bool = False) -> Scenario:
    """Reads files or folders as `scalelab run` does; without any, the built-in scenario.

    `plain`: without the patches of a kustomization. `allow_exec`: its policies may start the programs they name.
    """

class Policy(Protocol):
    """What decides: one object for every run."""

    def decide(self, observation: dict[str, Any], /) -> int | dict[str, Any] | None: ...

@final
class Scenario:
    """An experiment. It never changes; `set` gives another one."""

    @staticmethod
    def from_yaml(text: str, folder: str | PathLike[str] | None = None, allow_exec: bool = False) -> Scenario:
        """A scenario from the text of its documents; file names in it start from `folder`, by default the working directory."""

    def set(self, path: str, value: str | float | bool | list[Any] | dict[str, Any] | None) -> Scenario:
        """The same scenario with a value changed, by the rules of `--set PATH=VALUE`."""

    def with_policy(
        self,
        name: str,
        make: Callable[[], Policy],
        period: str = "15s",
        metrics: Mapping[str, str] | None = None,
        min_replicas: int = 0,
        max_replicas: int = 100,
        replicas: int | None = None,
    ) -> Scenario:
        """The same scenario with one more policy; `make`, such as a class, is called for every run and gives what decides."""

    def run(
        self,
        policies: str | Sequence[str] | None = None,
        replications: int | None = None,
        seed: int | None = None,
        jobs: int | None = None,
        progress: Callable[[int, int], object] | None = None,
    ) -> Results:
        """Runs every policy, or those named, over the same requests; `progress(finished, total)` follows. Raises Interrupted on Ctrl-C."""

    @property
    def name(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def policies(self) -> list[str]: ...
    @property
    def services(self) -> list[str]: ...
    @property
    def seed(self) -> int: ...
    @property
    def replications(self) -> int: ...
    @property
    def gates(self) -> list[str]: ...
    @property
    def notes(self) -> list[str]: ...
    @property
    def changes(self) -> list[str]: ...

@final
class Results:
    """All policies over the same requests. Each table is an attribute; in a notebook it shows the verdict and the stack over time."""

    @property
    def tables(self) -> list[str]: ...
    def table(self, name: str) -> Table: ...
    @property
    def summary(self) -> Table: ...
    @property
    def replications(self) -> Table: ...
    @property
    def comparison(self) -> Table: ...
    @property
    def timeline(self) -> Table: ...
    @property
    def decisions(self) -> Table: ...
    @property
    def metrics(self) -> Table: ...
    @property
    def replicas(self) -> Table: ...
    @property
    def nodes(self) -> Table: ...
    @property
    def ledger(self) -> Table: ...
    @property
    def latency_cdf(self) -> Table: ...
    @property
    def error_budget(self) -> Table: ...
    @property
    def burn_rate(self) -> Table: ...
    @property
    def verdict(self) -> Verdict: ...
    @property
    def policies(self) -> list[str]: ...
    @property
    def seed(self) -> int: ...
    @property
    def digests(self) -> list[tuple[str, int, str]]: ...
    @property
    def is_interrupted(self) -> bool: ...
    def _repr_html_(self) -> str: ...

@final
class Verdict:
    """Which policy to choose, why, and how sure that is."""

    @property
    def chosen(self) -> str | None: ...
    @property
    def lines(self) -> list[str]: ...
    def to_dict(self) -> dict[str, Any]: ...

@final
class Table:
    """Columns that pyarrow, polars, pandas and DuckDB take over without copying them."""

    @property
    def name(self) -> str: ...
    @property
    def columns(self) -> list[str]: ...
    def __len__(self) -> int: ...
    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...
    def to_csv(self) -> bytes:
        """The bytes of the file that `scalelab run` writes."""

def sweep(
    scenario: Scenario,
    over: Mapping[str, Iterable[str | float | bool]],
    policies: str | Sequence[str] | None = None,
    replications: int | None = None,
    seed: int | None = None,
    jobs: int | None = None,
    progress: Callable[[int, int], object] | None = None,
    folder: str | PathLike[str] | None = None,
    resume: bool = False,
) -> Table:
    """A sweep whose runs are all done here."""

def sweep_plan(
    scenario: Scenario,
    over: Mapping[str, Iterable[str | float | bool]],
    policies: str | Sequence[str] | None = None,
    replications: int | None = None,
    seed: int | None = None,
) -> tuple[int, int, str]:
    """Points, runs, and what is the same for the same work; slips are found here."""

def sweep_part(
    scenario: Scenario,
    over: Mapping[str, Iterable[str | float | bool]],
    policies: str | Sequence[str] | None,
    replications: int | None,
    seed: int | None,
    shard: str,
    folder: str | PathLike[str],
    earlier: Sequence[str | PathLike[str]],
) -> int:
    """The runs of share `I/N` into a new folder, less those of earlier attempts, which are taken over."""

def sweep_merge(parts: Sequence[str | PathLike[str]], folder: str | PathLike[str]) -> tuple[Table, int]:
    """Shares put together into a folder; the table, and how many runs are missing."""

def restored(
    documents: Sequence[str],
    folder: str | PathLike[str],
    overrides: Sequence[tuple[str, str]],
    allows_exec: bool,
    classes: Mapping[str, Callable[[], Policy]],
) -> Scenario:
    """A scenario that was pickled."""

def optimize(
    scenario: Scenario,
    over: Mapping[str, str],
    subject_to: str | Sequence[str] | None = None,
    minimize: str = "cost_usd",
    policy: str | None = None,
    runs: int = 100,
    replications: int | None = None,
    seed: int | None = None,
    jobs: int | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Search:
    """Finds the settings in the ranges (`"1..20"`, `"log:1..100"`, `"Pods|Percent"`) that make a column small while conditions hold."""

def validate(
    *folders: str | PathLike[str],
    replications: int | None = None,
    sweep: bool = True,
    seed: int | None = None,
    jobs: int | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> list[Validation]:
    """Holds scenarios against what was measured of the real runs they stand for."""

@final
class Search:
    """What a search found; as text, the answer with its intervals."""

    @property
    def policy(self) -> str: ...
    @property
    def best(self) -> dict[str, str] | None: ...
    @property
    def tried(self) -> Table: ...

@final
class Validation:
    """How near a scenario comes to the real run it stands for."""

    @property
    def is_inside(self) -> bool: ...
    def to_dict(self) -> list[Any]: ...
