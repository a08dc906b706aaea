"""4.2 and 4.7: how often and when the model is called again."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

from chaos.history import Answer, Call, Exchange, History, UpstreamCall
from exercises.exam.ex4_errors_and_retry import backoff
from exercises.exam.ex4_errors_and_retry.axes import (
    BUSY,
    LASTING,
    LONG,
    RATE_LIMITS,
    SECONDS,
    SECONDS_TWICE,
    TRANSIENT,
)
from exercises.exam.ex4_errors_and_retry.planted import LONG_RETRY_AFTER, RETRY_AFTER
from exercises.exam.ex4_errors_and_retry.rejections import told
from lab.reading import outcome
from lab.retry_after import seconds_of
from lab.timing import blur, too_busy
from lab.verdict import Verdict, all_of, failed, not_judged, passed

MAX_CALLS = 4
EARLY = 0.1
"""Seconds by which clocks and rounding may make a pause look shorter than Retry-After."""
STRETCHED = 1.0
"""A stall may make a wait longer than it was. Whoever ignores Retry-After is shorter by more than this."""
AT_ONCE = 5.0
ROUNDED = 1.5
ROUNDED_UP = 5.0
"""How much less or more than the model's a Retry-After may say: dates have whole seconds, and a caller may be late."""


def backs_off(transient: History, refusals: History, hang: History) -> Verdict:
    expected = f"at most {MAX_CALLS - 1} retries, after pauses of about 1 s, 2 s and 4 s with jitter"
    for history in (transient, refusals, hang):
        if one_more := _one_more(history):
            return failed(expected, f"more than {MAX_CALLS} calls for one request", one_more)
    paused = [
        pause
        for exchange in _failing(transient)
        for pause in backoff.pauses(transient, exchange.request.key or "")
    ]
    [lasting, *_] = transient.exchanges("lasting 503")
    if not paused:
        return failed(expected, f"no retry at all: {outcome(lasting.end)}", lasting.end)
    if not backoff.is_certain(paused):
        return too_busy("time the pauses", lasting.end)
    if fault := backoff.find_fault(paused):
        return failed(expected, fault.description, fault.call)
    return passed(f"pauses: {backoff.describe(paused)}", paused[0].call)


def retry_after_is_honoured(refusals: History) -> Verdict:
    waits = {SECONDS: RETRY_AFTER, SECONDS_TWICE: RETRY_AFTER, LONG: LONG_RETRY_AFTER}
    labels = {f"rate limit: {name}": name for name in RATE_LIMITS.values}
    return all_of(
        _honoured(refusals, exchange, waits[labels[label]])
        if labels[label] in waits
        else _survived(exchange, labels[label])
        for label in told(refusals, [*labels], hoped=True)
        for exchange in refusals.exchanges(label)[-1:]
    )


def _one_more(history: History) -> Call | None:
    """Return the first call that is one too many for its request."""
    seen: Counter[str] = Counter()
    for made in history.calls():
        if made.call.key:
            seen[made.call.key] += 1
            if seen[made.call.key] > MAX_CALLS:
                return made.call
    return None


def _failing(history: History) -> list[Exchange]:
    kinds = {*TRANSIENT.values, *LASTING.values}
    labels = {f"{kind} {times}" for kind in kinds for times in ("once", "twice", "three times")}
    labels |= {f"lasting {kind}" for kind in kinds}
    return [exchange for exchange in history.exchanges() if exchange.request.label in labels]


def _honoured(history: History, exchange: Exchange, wait: float) -> Verdict:
    end = exchange.end
    calls = history.calls(key=exchange.request.key)
    expected = f"after a 429 with Retry-After: {wait:.0f} no call for {wait:.0f} s, or the 429 passed on at once with its Retry-After"
    if not calls:
        return not_judged("the request did not reach the rate-limited model", end, blame="submission")
    for limited, again in _tried_again(calls):
        if early := _too_early(history, limited, again, wait, expected):
            return early
    if isinstance(end, Answer) and end.status == 200 and len(calls) > 1:
        return passed(f"waited {calls[1].call.t - calls[0].call.t:.1f} s, then 200", end)
    if isinstance(end, Answer) and end.status == 429:
        return _passed_on(history, exchange, end, wait, expected)
    return failed(expected, outcome(end), end)


def _survived(exchange: Exchange, name: str) -> Verdict:
    """Judge what a service may wait for or not, but must not stumble over."""
    statuses = {200, 502, 503} if name == BUSY else {200, 429}
    if exchange.status in statuses:
        return passed(f"{name}: {exchange.status}", exchange.end)
    expected = f"{' or '.join(map(str, sorted(statuses)))} for a rate limit with {name}"
    return failed(expected, outcome(exchange.end), exchange.end)


def _tried_again(calls: Sequence[UpstreamCall]) -> Iterator[tuple[UpstreamCall, Call]]:
    """Yield every call that met the rate limit, with the one after it."""
    yield from (
        (earlier, later.call) for earlier, later in pairwise(calls) if earlier.call.step == "rate-limited"
    )


def _too_early(
    history: History, limited: UpstreamCall, again: Call, wait: float, expected: str
) -> Verdict | None:
    """Return why a call came too early after a rate limit, or that it cannot be told; None where it did not."""
    told = (limited.reply or limited.call).t
    waited, off = again.t - told, blur(history, told, again.t)
    long_enough = waited >= wait - EARLY
    if waited - off < wait - EARLY - STRETCHED if long_enough else waited + off >= wait - EARLY:
        return too_busy("time the pause", again)
    return None if long_enough else failed(expected, f"called again after {waited:.1f} s", again)


def _passed_on(history: History, exchange: Exchange, end: Answer, wait: float, expected: str) -> Verdict:
    """Judge a 429 that the caller was given: at once after the model's last word, with a Retry-After about the model's."""
    named = seconds_of(end)
    if named is None:
        return failed(expected, f"{outcome(end)} without Retry-After", end)
    last = history.calls(key=exchange.request.key)[-1]
    if (late := end.t - (last.reply or last.call).t) > AT_ONCE:
        return failed(expected, f"the 429 was passed on only {late:.1f} s after the model's", end, last.call)
    if not wait - late - ROUNDED <= named <= wait + ROUNDED_UP:
        return failed(expected, f"{outcome(end)} with Retry-After: {named:.0f}", end)
    return passed(f"429 passed on after {end.elapsed:.1f} s with Retry-After: {named:.0f}", end)
