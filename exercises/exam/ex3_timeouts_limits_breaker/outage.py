"""Outages of the model: how each kind begins and ends, and how much of one the circuit breaker of a service may meet."""

from dataclasses import dataclass, field
from typing import Literal, Protocol

from chaos.history import History, Tried
from chaos.llm import Answer, Step
from lab.lab import Lab

FAILED_REQUESTS = 5
REJECTED_REQUESTS = 5
"""So many requests in a row show that the breaker is open."""
KINDS = "kinds of failure"
"""The axis along which the breaker is judged."""


class Outage(Protocol):
    """One kind of failure that the model shows to everybody. `shows_calls` if the model sees whom it fails."""

    @property
    def shows_calls(self) -> bool: ...

    async def begin(self, lab: Lab) -> None: ...

    async def end(self, lab: Lab) -> None: ...


@dataclass(frozen=True, slots=True)
class Scripted:
    """The model takes calls and fails each of them."""

    step: Step
    shows_calls: bool = field(default=True, init=False)

    async def begin(self, lab: Lab) -> None:
        lab.llm.default(self.step)

    async def end(self, lab: Lab) -> None:
        lab.llm.default(Answer())


@dataclass(frozen=True, slots=True)
class ByPrompt:
    """Each of the prompts that meet the failure has a script of its own; all others are answered."""

    shows_calls: bool = field(default=True, init=False)

    async def begin(self, lab: Lab) -> None: ...

    async def end(self, lab: Lab) -> None: ...


@dataclass(frozen=True, slots=True)
class Severed:
    """The way to the model is broken: connections are refused (`outage`), reset, or neither taken nor refused."""

    fault: Literal["outage", "reset", "blackhole"]

    @property
    def shows_calls(self) -> bool:
        return self.fault == "reset"

    async def begin(self, lab: Lab) -> None:
        upstreams = lab.upstreams
        faults = {"outage": upstreams.outage, "reset": upstreams.reset, "blackhole": upstreams.blackhole}
        await faults[self.fault](lab.contract.model)

    async def end(self, lab: Lab) -> None:
        await lab.upstreams.heal(lab.contract.model)


def kinds_tried(history: History) -> list[str]:
    """Return the kinds of failure that a history tried, in their order."""
    return [event.value for event in history.of(Tried) if event.axis == KINDS]


def most_failed_requests(workers: int) -> int:
    """Return how many requests may have failed at the model before all breakers are open, one in each worker.

    Which worker a request meets is chance: while the last ones meet their failures, the first may probe already.
    """
    return FAILED_REQUESTS * (2 * workers - 1)
