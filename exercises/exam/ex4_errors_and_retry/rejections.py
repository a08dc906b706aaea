"""Requests that an open breaker has turned away, and what is left to judge where it did so for too long."""

from collections.abc import Sequence
from typing import TypeGuard

from chaos.history import Answer, Exchange, Failure, History
from lab.retry_after import seconds_of

LEAST_TOLD = 3
"""So many kinds of failure say what a service makes of them."""
SOON = 1.0
"""Seconds after an answer within which the experiment has asked whether a breaker is open."""


def is_rejection(end: Answer | Failure | None) -> TypeGuard[Answer]:
    """Whether an answer may be an open breaker's: 503 with a Retry-After."""
    return isinstance(end, Answer) and end.status == 503 and seconds_of(end) is not None


def told(history: History, labels: Sequence[str]) -> list[str]:
    """Return those labels whose last request no breaker has turned away; all of them, if those would be too few.

    A breaker that counts what fails within a minute, and is open for as long, opens again and again. The experiment asks
    anew each time, but not for ever.
    """
    left = [label for label in labels if not _is_turned_away(history, history.exchanges(label)[-1:])]
    asked = [label for label in left if history.exchanges(label)]
    return left if len(asked) >= LEAST_TOLD else list(labels)


def _is_turned_away(history: History, last: Sequence[Exchange]) -> bool:
    """Whether a breaker was open at a request's end: it has no call, or others without one were rejected meanwhile."""
    return any(
        is_rejection(one.end) and (not history.calls(key=one.request.key) or any(_meanwhile(history, one)))
        for one in last
    )


def _meanwhile(history: History, exchange: Exchange) -> list[Exchange]:
    begin, end = exchange.request.t, exchange.end.t + SOON if exchange.end else float("inf")
    return [
        one
        for one in history.exchanges()
        if one.end
        and begin <= one.end.t <= end
        and is_rejection(one.end)
        and not history.calls(key=one.request.key)
    ]
