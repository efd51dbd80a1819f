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
    sweep,
    validate,
)

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
