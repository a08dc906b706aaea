"""The experiments of part 2."""

from exercises.assignment1.experiments import (
    dotenv,
    failures,
    hanging,
    leaks,
    limits,
    refusals,
    requests,
)

__all__ = ["dotenv", "failures", "hanging", "leaks", "limits", "refusals", "requests"]
