"""Replay autoscaling policies over the same GPU-inference traffic and compare what they cost with what they miss."""

from ._scalelab import (
    Interrupted,
    Results,
    RunError,
    ScalelabError,
    Scenario,
    ScenarioError,
    Table,
    Verdict,
    __version__,
    load,
)

__all__ = [
    "Interrupted",
    "Results",
    "RunError",
    "ScalelabError",
    "Scenario",
    "ScenarioError",
    "Table",
    "Verdict",
    "__version__",
    "load",
]
