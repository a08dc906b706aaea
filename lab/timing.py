"""How long things took, and whether the lab itself stood still meanwhile, so that a limit cannot be judged."""

from chaos.history import Event, Exchange, History, Stall
from lab.verdict import Verdict, not_judged

AFTERMATH = 0.1
"""So long after a stall the lab may still be busy with what has come meanwhile."""
STALL_SECONDS = 0.25
"""A stall of the lab's own below this does not spoil a measurement against a limit of a second."""


def stalled(history: History, start: float, end: float) -> float:
    """Return for how many seconds between two moments of the history the lab itself stood still."""
    overlaps = (
        min(end, stall.t) - max(start, stall.t - stall.seconds)
        for stall in history.of(Stall)
        if stall.seconds >= STALL_SECONDS
    )
    return sum(overlap for overlap in overlaps if overlap > 0)


def disturbance(history: History, exchange: Exchange) -> float:
    """Return for how many seconds the lab itself stood still while this request was under way."""
    return stalled(history, exchange.request.t, exchange.end.t if exchange.end else float("inf"))


def blur(history: History, start: float, end: float) -> float:
    """Return by how many seconds the time between two moments of the history may be off, either way.

    What the lab met while it stood still, it saw right after: too late by as long as it had to wait at once.
    """
    return sum(
        stall.seconds if stall.late is None else stall.late
        for stall in history.of(Stall)
        if stall.seconds >= STALL_SECONDS and start - AFTERMATH <= stall.t and stall.t - stall.seconds <= end
    )


def undisturbed(history: History, exchange: Exchange) -> float:
    """Return how many seconds a request took at least, with the lab's own stalls taken off."""
    return exchange.end.elapsed - disturbance(history, exchange) if exchange.end else float("inf")


def undisturbed_between(history: History, start: float, end: float) -> float:
    """Return how many seconds passed between two moments at least, with the lab's own stalls taken off."""
    return end - start - stalled(history, start, end)


def blame_stalls(least: float, limit: float, what: str, *evidence: Event | None) -> Verdict | None:
    """Return "not judged" if a time that is over its limit keeps it without the lab's own stalls, else None.

    `least` is that time as `undisturbed` has it, and `what` is what was timed.
    """
    return too_busy(f"time the {what}", *evidence) if least <= limit else None


def too_busy(purpose: str, *evidence: Event | None) -> Verdict:
    """Say that the machine was too busy to serve a purpose, such as "time the answer"."""
    return not_judged(f"the machine was too busy to {purpose}", *evidence, blame="machine")
