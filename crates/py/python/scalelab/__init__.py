"""Replay autoscaling policies over the same GPU-inference traffic and compare what they cost with what they miss."""

from ._scalelab import (
    Interrupted,
    Results,
    RunError,
    ScalelabError,
    Scenario,
    ScenarioError,
    Search,
    Table,
    Validation,
    Verdict,
    __version__,
    load,
    optimize,
    validate,
)
from ._sweep import sweep

__all__ = [
    "Interrupted",
    "Results",
    "RunError",
    "ScalelabError",
    "Scenario",
    "ScenarioError",
    "Search",
    "Table",
    "Validation",
    "Verdict",
    "__version__",
    "load",
    "optimize",
    "sweep",
    "validate",
]
