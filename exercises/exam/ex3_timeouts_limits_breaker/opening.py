"""Judges whether the circuit breaker opened in an outage: what it let through, and how it turned others away."""

from collections.abc import Sequence

from chaos.history import Answer, Exchange, History, UpstreamCall, Workers
from exercises.exam.ex3_timeouts_limits_breaker.circuit import COOL_DOWN_MARGIN, labelled
from exercises.exam.ex3_timeouts_limits_breaker.outage import FAILED_REQUESTS, REJECTED_REQUESTS
from lab.reading import outcome
from lab.retry_after import seconds_of
from lab.verdict import Verdict, failed

LEAST_COOL_DOWN = 3.0
UNCOUNTED = {"refused", "unreachable"}
"""Kinds of failure in which no call arrives at the model."""
_AT_OTHER_MODELS = "hanging ("
BY_DEADLINE = {"hang", "drip"}
"""Kinds of failure that are none before the service's own deadline."""


def count_workers(history: History) -> int:
    """Return how many processes of the service each had a breaker of its own."""
    recorded = history.first(Workers)
    return recorded.count if recorded else 1


def failing(history: History, kind: str) -> list[Exchange]:
    """Return the requests by which an outage was to be noticed, and which have failed as far as can be told."""
    asked = history.exchanges(labelled("failing", kind))
    if kind in UNCOUNTED:
        return [one for one in asked if _is_error(one)]
    reached = [one for one in asked if history.calls(key=one.request.key)]
    return [one for one in reached if _is_error(one)] if kind in BY_DEADLINE else reached


def rejected(history: History, kind: str) -> list[Exchange]:
    """Return the requests that open breakers should have rejected: of several workers, once none called the model."""
    asked = history.exchanges(labelled("rejected", kind)) + history.exchanges(
        labelled("rejected at once", kind)
    )
    if count_workers(history) == 1:
        return asked
    called = [place for place, one in enumerate(asked, 1) if history.calls(key=one.request.key)]
    return asked[max(called, default=0) :]


def is_open(history: History, kind: str) -> bool:
    """Whether the breaker was open at the end of an outage."""
    last = rejected(history, kind)[-1:]
    return bool(last) and last[0].status == 503 and not history.calls(key=last[0].request.key)


def not_opened(history: History, kind: str) -> Verdict | None:
    """Return what is wrong with how a breaker opened in an outage; None for nothing, or where it cannot be told."""
    had_to_open = failing(history, kind)
    if not had_to_open or (kind in UNCOUNTED | BY_DEADLINE and len(had_to_open) < FAILED_REQUESTS):
        return None
    turned_away = rejected(history, kind)
    if count_workers(history) > 1:
        return _not_opened_by_workers(history, kind, turned_away)
    opened = _earliest_opening(history, had_to_open)
    cool_down = _cool_down(turned_away) or _cool_down(_turned_away_before(history, turned_away))
    for one in turned_away:
        calls = history.calls(key=one.request.key)
        if calls and cool_down is not None and calls[0].call.t >= opened + cool_down - COOL_DOWN_MARGIN:
            continue  # it came so late that it is a probe
        if fault := _not_rejected(kind, one, calls):
            return fault
    return _called_meanwhile(history, kind, turned_away)


def at_other_models(history: History) -> list[Exchange]:
    """Return the requests that hang at other models than the usual one."""
    return [one for one in history.exchanges() if one.request.label.startswith(_AT_OTHER_MODELS)]


def expected(kind: str) -> str:
    """Say what an open breaker does."""
    return (
        f"after {FAILED_REQUESTS} failed requests ({kind}): 503 in under 1 s with Retry-After,"
        " and no call to the model"
    )


def _not_opened_by_workers(history: History, kind: str, turned_away: Sequence[Exchange]) -> Verdict | None:
    asked = history.exchanges(labelled("rejected", kind))
    if kind in UNCOUNTED | BY_DEADLINE | {"reset"}:
        # Which worker has met how much of this outage is chance: one of them has met enough.
        turned_away = [one for one in asked if not history.calls(key=one.request.key)]
        enough = 1
    else:
        enough = REJECTED_REQUESTS
    if len(turned_away) < enough:
        workers = count_workers(history)
        actual = f"{len(failing(history, kind))} requests reached the failing model, with {workers} workers"
        return failed(expected(kind), actual, *(one.end for one in asked[-1:]))
    faults = (_not_rejected(kind, one, ()) for one in turned_away)
    return next((fault for fault in faults if fault), None)


def _called_meanwhile(history: History, kind: str, turned_away: Sequence[Exchange]) -> Verdict | None:
    """Return what is wrong if something else than a caller had the model called while the breaker was open."""
    if not turned_away or not turned_away[-1].end:
        return None
    # What a breaker around requests, or that of another model, has let through.
    under_way = history.exchanges(labelled("failing", kind)) + at_other_models(history)
    keys = {one.request.key for one in (*turned_away, *under_way)}
    begin, end = turned_away[0].request.t, max(one.end.t for one in turned_away if one.end)
    for one in history.calls():
        if begin < one.call.t < end and one.call.key not in keys:
            return failed(
                expected(kind), "the model was still called, although no request asked for it", one.call
            )
    return None


def _not_rejected(kind: str, exchange: Exchange, calls: Sequence[UpstreamCall]) -> Verdict | None:
    """Return what is wrong with an answer that an open breaker should have given; None for nothing."""
    if calls:
        actual = f"the model was still called ({outcome(exchange.end)})"
        return failed(expected(kind), actual, calls[0].call, exchange.end)
    if exchange.status != 503:
        return failed(expected(kind), outcome(exchange.end), exchange.end)
    if isinstance(exchange.end, Answer) and seconds_of(exchange.end) is None:
        return failed(expected(kind), "503 without a readable Retry-After", exchange.end)
    return None


def _earliest_opening(history: History, had_to_open: Sequence[Exchange]) -> float:
    """Return the first moment at which enough had failed, by calls or by requests."""
    calls = (call for one in had_to_open for call in history.calls(key=one.request.key))
    ends = [call.reply.t for call in calls if call.reply]
    ends = ends or [one.end.t for one in had_to_open if one.end]
    return min(sorted(ends)[FAILED_REQUESTS - 1 :], default=float("inf"))


def _turned_away_before(history: History, turned_away: Sequence[Exchange]) -> list[Exchange]:
    """Return the requests that were rejected in earlier outages: they tell how long a cool-down of this breaker is."""
    begin = min((one.request.t for one in turned_away), default=0.0)
    return [
        one
        for one in history.exchanges()
        if one.request.label.startswith("rejected") and one.request.t < begin
    ]


def _cool_down(turned_away: Sequence[Exchange]) -> float | None:
    """Return what the first one that was turned away was told, in seconds, and the least that a cool-down lasts."""
    told = [seconds_of(one.end) for one in turned_away if isinstance(one.end, Answer) and one.status == 503]
    named = [seconds for seconds in told if seconds is not None]
    return max(named[0], LEAST_COOL_DOWN) if named else None


def _is_error(exchange: Exchange) -> bool:
    return exchange.status is not None and exchange.status >= 500
