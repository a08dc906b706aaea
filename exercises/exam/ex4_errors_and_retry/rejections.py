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


def told(history: History, labels: Sequence[str], *, hoped: bool = False) -> list[str]:
    """Return those labels whose last request no breaker has turned away; all of them, if those would be too few.

    A breaker that counts what fails within a minute, and is open for as long, opens again and again. The experiment asks
    anew each time, but not for ever. If a good answer is `hoped` for, any error says nothing while a breaker is open; to
    leave a caller without an answer is no breaker's way.
    """
    left = [label for label in labels if not _is_turned_away(history, label, hoped=hoped)]
    asked = [label for label in left if history.exchanges(label)]
    return left if len(asked) >= LEAST_TOLD else list(labels)


def _is_turned_away(history: History, label: str, *, hoped: bool) -> bool:
    """Whether a breaker was open at the end of the last request of a kind."""
    return any(
        _is_rejected_uncalled(history, one)
        or ((is_rejection(one.end) or (hoped and _is_error(one))) and _rejects_others(history, one))
        for one in history.exchanges(label)[-1:]
    )


def _is_error(exchange: Exchange) -> bool:
    return isinstance(exchange.end, Answer) and exchange.end.status != 200


def _rejects_others(history: History, exchange: Exchange) -> bool:
    begin, end = exchange.request.t, exchange.end.t + SOON if exchange.end else float("inf")
    return any(
        one.end and begin <= one.end.t <= end and _is_rejected_uncalled(history, one)
        for one in history.exchanges()
    )


def _is_rejected_uncalled(history: History, exchange: Exchange) -> bool:
    return is_rejection(exchange.end) and not history.calls(key=exchange.request.key)
