"""Judges whether the circuit breaker closed after an outage, how many probes it took, and whether Retry-After was right."""

from collections.abc import Iterator, Sequence

from chaos.history import Answer, Call, Exchange, History, Phase
from exercises.exam.ex3_timeouts_limits_breaker.circuit import SERVED_AT_ONCE, labelled
from exercises.exam.ex3_timeouts_limits_breaker.opening import (
    LEAST_COOL_DOWN,
    count_workers,
    failing,
    is_open,
    rejected,
)
from exercises.exam.ex3_timeouts_limits_breaker.outage import kinds_tried
from lab.reading import outcome
from lab.retry_after import seconds_of
from lab.timing import stalled, too_busy
from lab.verdict import Verdict, failed, passed

PROBES = 10
"""How many calls a half-open breaker may let through before the first of them has succeeded; each worker has one."""
PROBE_SECONDS = 1.0
"""How long the model takes to answer a probe."""
RETRY_AFTER_TOLERANCE = 2.0
"""Whole seconds, the lab's own margin, and a poll a second."""
_CLOCKS_APART = 0.1
"""Seconds by which a service's timer may run ahead of the lab's."""
_ILL = "the model fails its first probes, after a prompt from the cache and callers that hung up"


def recoveries(history: History) -> list[str]:
    """Return the kinds of failure after which a history asked until the service had recovered."""
    return [kind for kind in kinds_tried(history) if history.exchanges(labelled("recovered", kind))]


def recovers(history: History, kind: str, at_once: int, when: str) -> Verdict:
    """Judge that all is served again after an outage: one by one, and `at_once` together."""
    expectation = f"requests are served again after the cool-down, {when}"
    one_by_one = history.exchanges(labelled("recovered", kind))
    last = one_by_one[-1]
    waited = last.request.t - _last_in_outage(history, kind)
    if last.status != 200 or not history.calls(key=last.request.key):
        return failed(expectation, f"{outcome(last.end)}, {waited:.0f} s after the outage", last.end)
    together = history.exchanges(labelled("recovered at once", kind))[-SERVED_AT_ONCE:]
    served = [one for one in together if one.status == 200]
    if len(served) < min(at_once, len(together)):
        turned_away = next(one for one in together if one.status != 200)
        total = sum(one.status == 200 for one in one_by_one)
        actual = (
            f"{len(together) - len(served)} of {len(together)} at once were not ({outcome(turned_away.end)}), "
            f"after {total} had been served one by one"
        )
        return failed(expectation, actual, turned_away.end)
    return passed(f"served again {waited:.0f} s after the outage ({kind})", last.end)


def bounded_probes(history: History, kind: str) -> Iterator[Verdict]:
    """Judge how many callers a half-open breaker lets through to a model that is still ill, and to a healthy one."""
    limit = PROBES * count_workers(history)
    for label, told in (("ill", _ILL), ("caller", "one of them has succeeded")):
        callers = history.exchanges(labelled(label, kind))
        if callers:
            until = "while" if label == "ill" else "before"
            expectation = f"of {len(callers)} callers at once at most {limit} reach the model {until} {told}"
            yield _bounded(history, callers, limit, expectation)
    yield from _turned_away(history, history.exchanges(labelled("caller", kind)))


def names_cool_down(history: History, kind: str) -> Verdict | None:
    """Return what is wrong with the cool-down that Retry-After named; None for nothing, or where it cannot be told."""
    if count_workers(history) > 1 or not is_open(history, kind):
        return None
    told = [
        (one.end, seconds)
        for one in rejected(history, kind)
        if isinstance(one.end, Answer) and (seconds := seconds_of(one.end)) is not None
    ]
    probe = _first_probe(history, kind)
    if not told or probe is None:
        return None
    first, named = told[0]
    # A request that was let in before may fail later, and begin the cool-down anew.
    later = [one.end.t + named for one in failing(history, kind) if one.end and one.end.t > first.t]
    latest = max([*later, *(end.t + seconds for end, seconds in told)])
    expectation = f"the model is called again when the time in Retry-After has passed ({named:g} s)"
    for one in _asked_after(history, kind):
        overdue = one.request.t - latest - stalled(history, first.t, one.request.t)
        if overdue > RETRY_AFTER_TOLERANCE and one.request.t < probe.t and one.status == 503:
            actual = f"{outcome(one.end)}, asked {one.request.t - first.t:.1f} s later ({kind})"
            return failed(expectation, actual, first, one.end)
    polled = bool(history.exchanges(labelled("refused", kind)))
    if polled and probe.t - first.t < named / 2 - RETRY_AFTER_TOLERANCE:
        return failed(expectation, f"it was called after {probe.t - first.t:.1f} s ({kind})", first, probe)
    return None


def lasts(history: History, kind: str) -> Verdict | None:
    """Return what is wrong if the model was called again sooner than any cool-down is over; None for nothing.

    The breaker cannot have opened before the first call failed.
    """
    if count_workers(history) > 1 or not is_open(history, kind):
        return None
    calls = [
        one.call for failed_one in failing(history, kind) for one in history.calls(key=failed_one.request.key)
    ]
    probe = _first_probe(history, kind)
    begin = min(calls, key=lambda call: call.t, default=None)
    if (
        begin is None
        or probe is None
        or probe.key not in {one.request.key for one in _asked_after(history, kind)}
    ):
        return None
    if (after := probe.t - begin.t) >= LEAST_COOL_DOWN - _CLOCKS_APART:
        return None
    expectation = f"an open breaker keeps calls from the model for {LEAST_COOL_DOWN:.0f} s at least"
    actual = f"it was called {after:.1f} s after the first call that failed ({kind})"
    return failed(expectation, actual, begin, probe)


def _last_in_outage(history: History, kind: str) -> float:
    """Return when the last request of an outage was made."""
    labels = ("failing", "rejected", "rejected at once")
    return max(one.request.t for label in labels for one in history.exchanges(labelled(label, kind)))


def _turned_away(history: History, callers: Sequence[Exchange]) -> Iterator[Verdict]:
    """Judge what callers are told that find a probe under way: they may wait for its end, or are turned away."""
    for one in callers:
        if (
            isinstance(one.end, Answer)
            and one.status not in {200, 429, 503}
            and not history.calls(key=one.request.key)
        ):
            yield failed(
                "503 for callers whom a half-open breaker does not let through", outcome(one.end), one.end
            )


def _asked_after(history: History, kind: str) -> list[Exchange]:
    """Return the requests that could have been probes after an outage."""
    labels = ("ill", "caller", "refused", "recovered")
    return [one for label in labels for one in history.exchanges(labelled(label, kind))]


def _first_probe(history: History, kind: str) -> Call | None:
    """Return the first call that reached the model after the breaker had turned callers away.

    Requests that it had let in before may still be on their way, on a busy machine for seconds.
    """
    turned_away = rejected(history, kind)[-1].request.t
    let_in = {one.request.key for one in history.exchanges() if one.request.t <= turned_away}
    later = (one.call for one in history.calls() if one.call.t > turned_away)
    return next((call for call in later if call.key not in let_in), None)


def _first_success(history: History) -> float:
    """Return when the model answered first after an outage: a call may have outlived the caller who left it."""
    healed = next((event.t for event in history.of(Phase) if event.name == "recovery"), float("inf"))
    replies = (call.reply for call in history.calls() if call.reply)
    return min(
        (one.t for one in replies if one.t >= healed and one.outcome == "answered" and one.status == 200),
        default=float("inf"),
    )


def _bounded(history: History, callers: Sequence[Exchange], limit: int, expectation: str) -> Verdict:
    keys = {one.request.key for one in callers}
    calls = [call for call in history.calls() if call.call.key in keys]
    first_success = _first_success(history)
    # A caller who was let in may have retries: the page counts callers.
    firsts = {call.call.key: call.call for call in reversed(calls)}
    probes = sorted((call for call in firsts.values() if call.t < first_success), key=lambda call: call.t)
    if len(probes) > limit:
        return failed(expectation, f"{len(probes)} of them reached it", probes[limit])
    # Of what comes together after a stall, the order is the lab's own.
    if len(firsts) > limit and any(
        stalled(history, call.t, call.t + PROBE_SECONDS) for call in firsts.values()
    ):
        return too_busy("tell the calls' order", *probes[:1])
    return passed(f"{len(probes)} of {len(keys)} callers let through half-open", *probes[:1])
