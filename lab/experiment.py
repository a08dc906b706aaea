"""An experiment: what the lab does to one running service while the history is recorded."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from lab.control import Need
from lab.lab import Lab
from lab.settings import Draw, no_settings

LIMIT_SECONDS = 240.0


@dataclass(frozen=True, slots=True)
class Experiment:
    """A named procedure on a lab whose control phase has passed as far as the experiment `needs` it.

    `seconds` is about its longest wait: experiments with longer waits are started first. `limit` is the time, in
    seconds from the service's start, after which the grader gives the experiment up as its own failure.
    """

    name: str
    run: Callable[[Lab], Awaitable[None]]
    seconds: float
    limit: float = LIMIT_SECONDS
    needs: Need = "answer"
    settings: Draw = no_settings

    @property
    def description(self) -> str:
        """The first line of the procedure's docstring."""
        return (self.run.__doc__ or self.name).strip().splitlines()[0]


def experiment(
    *,
    seconds: float,
    limit: float = LIMIT_SECONDS,
    needs: Need = "answer",
    settings: Draw = no_settings,
) -> Callable[[Callable[[Lab], Awaitable[None]]], Experiment]:
    """Make an experiment, named like it, of a coroutine function."""

    def make(run: Callable[[Lab], Awaitable[None]]) -> Experiment:
        return Experiment(
            getattr(run, "__name__", "experiment"), run, seconds, limit, needs=needs, settings=settings
        )

    return make
