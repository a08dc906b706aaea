"""The checks of exercise 3. Each judges recorded histories alone; its parameters name the experiments."""

from collections.abc import Sequence

from chaos.history import Answer, Exchange, Fault, History, Probe, Workers
from exercises.exam.ex3_timeouts_limits_breaker.outage import (
    FAILED_REQUESTS,
    REJECTED_REQUESTS,
    most_failed_requests,
)
from exercises.exam.promises import DEADLINE_SECONDS, TOLERANCE_SECONDS
from lab.promptness import prompt
from lab.reading import outcome
from lab.retry_after import seconds_of
from lab.timing import blame_stalls, stalled, too_busy, undisturbed
from lab.verdict import Verdict, all_of, failed, not_judged, passed

BOUND = DEADLINE_SECONDS + TOLERANCE_SECONDS
PROBES = 10
"""How many calls a half-open breaker may let through before the first of them has succeeded; each worker has one."""
PROBE_SECONDS = 1.0
"""How long the model takes to answer a probe."""
GATEWAY_ERRORS = {502, 503, 504}
_REJECTED = (
    f"after {FAILED_REQUESTS} failed requests: 503 in under 1 s with Retry-After, and no call to the model"
)


def deadline(hang: History) -> Verdict:
    [exchange] = hang.exchanges("hanging")
    expected = f"504 within {DEADLINE_SECONDS:.0f} s, all attempts together"
    return _within_bound(hang, exchange, {504}, expected)


def unreachable(blackhole: History) -> Verdict:
    [exchange] = blackhole.exchanges("unreachable")
    if not any(probe.outcome == "timeout" for probe in blackhole.of(Probe)):
        return not_judged("the model's address could not be shown to be unreachable", blackhole.first(Fault))
    expected = f"an error (502, 503 or 504) within {DEADLINE_SECONDS:.0f} s"
    return _within_bound(blackhole, exchange, {500, *GATEWAY_ERRORS}, expected, called=False)


def body_limit(bodies: History) -> Verdict:
    return all_of(
        [
            _body(bodies, "over", {413}, "413 for a body of 1.2 MB with Content-Length"),
            _body(bodies, "over-chunked", {411, 413}, "413 (or 411) for a chunked body of 1.2 MB"),
            _body(bodies, "under", set(range(200, 500)) - {411, 413}, "no 413 for a body of 0.9 MB"),
        ]
    )


def breaker_opens(breaker: History) -> Verdict:
    asked = breaker.exchanges("failing") + breaker.exchanges("rejected")
    reached = [one for one in asked if breaker.calls(key=one.request.key)]
    if not reached:
        return not_judged("no request reached the failing model", blame="submission")
    workers, rejected = _workers(breaker), _rejected(breaker)
    if workers > 1 and (len(reached) > most_failed_requests(workers) or len(rejected) < REJECTED_REQUESTS):
        actual = f"{len(reached)} requests reached the failing model, with {workers} workers"
        return failed(_REJECTED, actual, reached[-1].request, reached[-1].end)
    for exchange in rejected:
        if fault := _not_rejected(breaker, exchange):
            return fault
    return all_of(
        [
            passed(
                f"open after {_count_calls(breaker, reached)} failed calls, then {outcome(rejected[-1].end)}",
                rejected[-1].end,
            ),
            prompt(breaker, rejected, _REJECTED),
        ]
    )


def breaker_closes(breaker: History, half_open: History) -> Verdict:
    return all_of(
        [
            _recovers(breaker, "once the model was healthy again"),
            _bounded_probes(breaker),
            _recovers(half_open, "after a cached prompt and a client error as the first requests"),
        ]
    )


def client_errors_spare_breaker(client_errors: History, breaker: History) -> Verdict:
    if not _opened(breaker):
        return not_judged(
            "there is no breaker that could open", breaker.exchanges("rejected")[-1].end, blame="submission"
        )
    reached = [
        one for one in client_errors.exchanges("client-error") if client_errors.calls(key=one.request.key)
    ]
    if not reached:
        return not_judged("no request reached the refusing model", blame="submission")
    hung_up = [one for one in client_errors.exchanges("abort") if client_errors.calls(key=one.request.key)]
    return all_of(
        [
            _served(client_errors, "after-client-errors", "ten answers of 400, 401, 403, 404 and 422"),
            *(
                []
                if not hung_up
                else [_served(client_errors, "after-aborts", f"{len(hung_up)} callers hung up")]
            ),
        ]
    )


def drip_is_cut(drip: History) -> Verdict:
    [exchange] = drip.exchanges("dripping")
    expected = f"an error (502, 503 or 504) within {DEADLINE_SECONDS:.0f} s, though bytes keep coming"
    return _within_bound(drip, exchange, GATEWAY_ERRORS, expected)


def others_are_served(crowd: History) -> Verdict:
    hanging = [one for one in crowd.exchanges("hanging") if crowd.calls(key=one.request.key)]
    if not hanging:
        return not_judged("no request reached the hanging model", blame="submission")
    expected = "GET /health answers 200 in under 1 s while 20 requests wait for the model"
    samples = crowd.exchanges("health")
    if unwell := [one for one in samples if isinstance(one.end, Answer) and one.status != 200]:
        return failed(expected, outcome(unwell[0].end), unwell[0].end)
    return prompt(crowd, samples, expected)


def _workers(history: History) -> int:
    recorded = history.first(Workers)
    return recorded.count if recorded else 1


def _rejected(history: History) -> list[Exchange]:
    """Return the requests that open breakers should have rejected: of several workers, once none called the model."""
    rejected = history.exchanges("rejected")
    if _workers(history) == 1:
        return rejected
    called = [place for place, one in enumerate(rejected, 1) if history.calls(key=one.request.key)]
    return rejected[max(called, default=0) :]


def _count_calls(history: History, exchanges: Sequence[Exchange]) -> int:
    return sum(len(history.calls(key=one.request.key)) for one in exchanges)


def _not_rejected(history: History, exchange: Exchange) -> Verdict | None:
    """Return what is wrong with an answer that an open breaker should have given; None for nothing."""
    if calls := history.calls(key=exchange.request.key):
        actual = f"the model was still called ({outcome(exchange.end)})"
        return failed(_REJECTED, actual, calls[0].call, exchange.end)
    if exchange.status != 503:
        return failed(_REJECTED, outcome(exchange.end), exchange.end)
    if isinstance(exchange.end, Answer) and seconds_of(exchange.end) is None:
        return failed(_REJECTED, "503 without a legible Retry-After", exchange.end)
    return None


def _within_bound(
    history: History, exchange: Exchange, statuses: set[int], expected: str, *, called: bool = True
) -> Verdict:
    """Judge that a request was answered with one of `statuses` within the deadline and its tolerance."""
    calls = history.calls(key=exchange.request.key)
    end = exchange.end
    first_call = calls[0].call if calls else None
    if called and not calls:
        return failed(expected, f"{outcome(end)}, without a call to the model", end)
    attempts = f"; the model was called {len(calls)} times" if len(calls) > 1 else ""
    if not isinstance(end, Answer):
        return failed(expected, outcome(end) + attempts, end, first_call)
    if end.status not in statuses:
        return failed(expected, outcome(end) + attempts, end, first_call)
    if end.elapsed > BOUND:
        actual = f"{outcome(end)} (tolerance {TOLERANCE_SECONDS:.0f} s){attempts}"
        late = failed(expected, actual, end, first_call)
        return blame_stalls(undisturbed(history, exchange), BOUND, "answer", end) or late
    return passed(
        f"{outcome(end)} (limit {DEADLINE_SECONDS:.0f} s, tolerance {TOLERANCE_SECONDS:.0f} s)", end
    )


def _body(history: History, label: str, statuses: set[int], expected: str) -> Verdict:
    [exchange] = history.exchanges(label)
    if exchange.status in statuses:
        return passed(f"{label}: {exchange.status}", exchange.end)
    return failed(expected, outcome(exchange.end), exchange.end)


def _opened(history: History) -> bool:
    rejected = history.exchanges("rejected")
    return bool(rejected) and rejected[-1].status == 503 and not history.calls(key=rejected[-1].request.key)


def _recovers(history: History, when: str) -> Verdict:
    expected = f"requests are served again after the cool-down, {when}"
    if not _opened(history):
        last = history.exchanges("rejected")[-1]
        return failed(
            expected, f"the breaker never opened ({outcome(last.end)} while the model failed)", last.end
        )
    recovered = history.exchanges("recovered")
    last = recovered[-1]
    waited = last.request.t - history.exchanges("rejected")[-1].request.t
    if last.status == 200 and history.calls(key=last.request.key):
        return passed(f"served again {waited:.0f} s after the outage", last.end)
    return failed(expected, f"{outcome(last.end)}, {waited:.0f} s after the outage", last.end)


def _bounded_probes(history: History) -> Verdict:
    limit = PROBES * _workers(history)
    expected = f"of 50 callers at once at most {limit} reach the model before one of them has succeeded"
    keys = {one.request.key for one in history.exchanges("caller")}
    calls = [call for call in history.calls() if call.call.key in keys]
    first_success = min(
        (
            call.reply.t
            for call in calls
            if call.reply and call.reply.outcome == "answered" and call.reply.status == 200
        ),
        default=float("inf"),
    )
    probes = [call.call for call in calls if call.call.t < first_success]
    if len(probes) > limit:
        return failed(expected, f"{len(probes)} reached it", probes[limit])
    # Of what comes together after a stall, the order is the lab's own.
    if len(calls) > limit and any(
        stalled(history, call.call.t, call.call.t + PROBE_SECONDS) for call in calls
    ):
        return too_busy("tell the calls' order", *probes[:1])
    return passed(f"{len(probes)} of {len(keys)} callers let through half-open", *probes[:1])


def _served(history: History, label: str, after: str) -> Verdict:
    [exchange] = history.exchanges(label)
    calls = history.calls(key=exchange.request.key)
    if exchange.status == 200 and calls:
        return passed(f"served after {after}", exchange.end)
    reached = "" if calls else ", and the model was not called"
    return failed(
        f"a healthy model is called and serves after {after}", outcome(exchange.end) + reached, exchange.end
    )
