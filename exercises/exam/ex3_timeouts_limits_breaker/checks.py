"""The checks of exercise 3. Each judges recorded histories alone; its parameters name the experiments."""

from collections.abc import Iterable, Sequence

from chaos.history import Answer, Exchange, Failure, Fault, History, Probe
from exercises.exam.ex3_timeouts_limits_breaker import axes, closing, opening
from exercises.exam.ex3_timeouts_limits_breaker.bodies import label
from exercises.exam.ex3_timeouts_limits_breaker.circuit import labelled
from exercises.exam.ex3_timeouts_limits_breaker.outage import FAILED_REQUESTS, kinds_tried
from exercises.exam.promises import DEADLINE_SECONDS, TOLERANCE_SECONDS
from exercises.exam.queueing import explain_queue
from lab.control import LOGIN_LABEL
from lab.promptness import prompt
from lab.reading import outcome
from lab.retry_after import seconds_of
from lab.timing import blame_stalls, disturbance, too_busy, undisturbed
from lab.verdict import Verdict, all_of, failed, not_judged, passed

BOUND = DEADLINE_SECONDS + TOLERANCE_SECONDS
GATEWAY_ERRORS = {502, 503, 504}
ERRORS = {500, *GATEWAY_ERRORS}
LARGE_BYTES = 1_200_000
BYSTANDER_SECONDS = 2.0
"""Other endpoints than the liveness check may have something to do, such as hashing a password."""
SLOW_BYSTANDERS = 1
_STOPS_WITHIN = axes.HANGS.values["within the answer"]


def deadline(hang: History, crowd: History) -> Verdict:
    [exchange] = hang.exchanges("hanging")
    expected = f"504 within {DEADLINE_SECONDS:.0f} s, all attempts together"
    failure = f"an error (502, 503 or 504) within {DEADLINE_SECONDS:.0f} s, though attempts fail late"
    hanging = crowd.exchanges(labelled("failing", "hang"))
    late = _failing_late(crowd)
    return all_of(
        [
            _within_bound(hang, exchange, {504}, expected),
            _slowest(_hung(crowd, one, expected) for one in hanging + opening.at_other_models(crowd)),
            _slowest(
                _within_bound(crowd, one, GATEWAY_ERRORS, failure) for one in late if _reached(crowd, one)
            ),
        ]
    )


def unreachable(blackhole: History, half_open: History) -> Verdict:
    [exchange] = blackhole.exchanges("unreachable")
    if not any(probe.outcome == "timeout" for probe in blackhole.of(Probe)):
        return not_judged("the model's address could not be shown to be unreachable", blackhole.first(Fault))
    expected = f"an error (502, 503 or 504) within {DEADLINE_SECONDS:.0f} s"
    at_once = blackhole.exchanges(labelled("failing", "unreachable"))
    refused = half_open.exchanges(labelled("failing", "refused"))
    return all_of(
        [
            _within_bound(blackhole, exchange, ERRORS, expected, called=False),
            _slowest(_within_bound(blackhole, one, ERRORS, expected, called=False) for one in at_once),
            _slowest(_within_bound(half_open, one, ERRORS, expected, called=False) for one in refused),
        ]
    )


def body_limit(callers: History) -> Verdict:
    judged = all_of(
        [
            _body(callers, exchange, name, body)
            for axis in (axes.LARGE_BODIES, axes.SMALL_BODIES)
            for name, body in axis.values.items()
            for endpoint in axes.WITH_BODY.values
            for exchange in callers.exchanges(label(endpoint, name))
        ]
    )
    if not judged.evidence and judged.passed:
        return not_judged("no body could be sent", blame="submission")
    sent = sum(exchange.request.body_bytes >= LARGE_BYTES for exchange in callers.exchanges())
    return passed(f"{sent} bodies over the limit refused", *judged.evidence) if judged.passed else judged


def breaker_opens(
    *,
    breaker: History,
    half_open: History,
    callers: History,
    crowd: History,
    drip: History,
    blackhole: History,
) -> Verdict:
    histories = (breaker, half_open, callers, crowd, drip, blackhole)
    outages = [(history, kind) for history in histories for kind in kinds_tried(history)]
    noticed = [(history, kind) for history, kind in outages if opening.failing(history, kind)]
    if not noticed:
        return not_judged("no request reached the failing model", blame="submission")
    faults = [fault for history, kind in noticed if (fault := opening.not_opened(history, kind))]
    if faults:
        return faults[0]
    first, kind = noticed[0]
    ends = [exchange.end for exchange in opening.rejected(first, kind)[-1:]]
    calls = sum(len(first.calls(key=one.request.key)) for one in opening.failing(first, kind))
    promptness = [
        prompt(history, opening.rejected(history, kind), opening.expected(kind))
        for history, kind in noticed
        if opening.is_open(history, kind)
    ]
    seen = f"open after {calls} failed calls ({kind}), and after {len(noticed) - 1} other kinds of failure"
    if (slow := all_of(promptness)).passed:
        return passed(f"{seen}, then {outcome(ends[0] if ends else None)}", *ends)
    return slow


def breaker_closes(
    breaker: History, half_open: History, callers: History, crowd: History, drip: History
) -> Verdict:
    at_once = max(1, sum(_reached(crowd, one) for one in crowd.exchanges(labelled("failing", "hang"))))
    verdicts: list[Verdict] = []
    for history, when in (
        (breaker, "once the model was healthy again"),
        (half_open, "after cached prompts, rate limits or client errors as the first requests"),
        (callers, "after callers that hung up as the first"),
    ):
        verdicts += list(_closes(history, at_once, when))
    # Whether the deadline opens a breaker is for another criterion to tell.
    when = "after requests that met the deadline, and answers that cannot be read"
    verdicts += [closing.recovers(drip, kind, at_once, when) for kind in closing.recoveries(drip)]
    return all_of(verdicts)


def client_errors_spare_breaker(callers: History, breaker: History, half_open: History) -> Verdict:
    if not any(
        opening.is_open(history, kind)
        for history in (breaker, half_open, callers)
        for kind in kinds_tried(history)
    ):
        asked = [one for kind in kinds_tried(breaker) for one in opening.rejected(breaker, kind)]
        return not_judged(
            "there is no breaker that could open", *(one.end for one in asked[-1:]), blame="submission"
        )
    verdicts: list[Verdict] = []
    for status in axes.CLIENT_ERRORS.values:
        refused = callers.exchanges(labelled("client-error", status))
        if reached := [one for one in refused if _reached(callers, one)]:
            after = callers.exchanges(labelled("after client errors", status))
            verdicts += _served(callers, after, f"{len(reached)} answers of {status}")
    if not verdicts:
        return not_judged("no request reached the refusing model", blame="submission")
    if hung_up := [one for one in callers.exchanges("abort") if _reached(callers, one)]:
        verdicts += _served(callers, callers.exchanges("after aborts"), f"{len(hung_up)} callers hung up")
    for upstream in axes.OTHERS_DOWN.values:
        without = callers.exchanges(labelled("without", upstream))
        after = callers.exchanges(labelled("after", upstream))
        what = f"{len(without)} requests had met a {upstream} that refuses connections"
        verdicts += [_not_turned_away(callers, one, what) for one in after]
    return all_of(verdicts)


def drip_is_cut(drip: History) -> Verdict:
    expected = f"an error (502, 503 or 504) within {DEADLINE_SECONDS:.0f} s, though bytes keep coming"
    dripping = drip.exchanges(labelled("failing", "drip"))
    reached = [one for one in dripping if _reached(drip, one)]
    return _slowest(_within_bound(drip, one, GATEWAY_ERRORS, expected) for one in reached or dripping)


def others_are_served(crowd: History) -> Verdict:
    waiting = [
        *crowd.exchanges(labelled("failing", "hang")),
        *_failing_late(crowd),
        *opening.at_other_models(crowd),
    ]
    hanging = [one for one in waiting if _reached(crowd, one)]
    if not hanging:
        return not_judged("no request reached the hanging model", blame="submission")
    expected = "GET /health answers 200 in under 1 s while 20 requests wait for the model"
    samples = crowd.exchanges("health")
    if unwell := [one for one in samples if isinstance(one.end, Answer) and one.status != 200]:
        return failed(expected, outcome(unwell[0].end), unwell[0].end)
    return all_of([prompt(crowd, samples, expected), _bystanders(crowd, hanging)])


def _slowest(verdicts: Iterable[Verdict]) -> Verdict:
    """Combine verdicts on requests of one kind: where all have passed, say so of the slowest."""
    parts = list(verdicts)
    combined = all_of(parts)
    if not combined.passed or not parts:
        return combined
    slowest = max(parts, key=lambda part: max((end.t for end in part.evidence), default=0))
    return passed(f"the slowest of {len(parts)}: {slowest.actual}", *slowest.evidence)


def _reached(history: History, exchange: Exchange) -> bool:
    return exchange.request.key is not None and bool(history.calls(key=exchange.request.key))


def _failing_late(crowd: History) -> list[Exchange]:
    return [one for name in axes.LATE_FAILURES.values for one in crowd.exchanges(labelled("late", name))]


def _hung(history: History, exchange: Exchange, expected: str) -> Verdict:
    """Judge one of many requests that hang: a breaker that has opened, or a bulkhead, may turn it away."""
    end, calls = exchange.end, history.calls(key=exchange.request.key)
    if not calls:
        return _within_bound(history, exchange, {429, 503, 504}, expected, called=False)
    if any(one.call.step == _STOPS_WITHIN.name for one in calls):
        return _within_bound(history, exchange, GATEWAY_ERRORS, expected)
    by_breaker = (
        isinstance(end, Answer)
        and seconds_of(end) is not None
        and _count_failures(history, end.t) >= FAILED_REQUESTS
    )
    return _within_bound(history, exchange, {503, 504} if by_breaker else {504}, expected)


def _count_failures(history: History, until: float) -> int:
    """Return how many calls had failed by some moment: enough of them open a breaker."""
    replies = [one.reply for one in history.calls() if one.reply and one.reply.t < until]
    return sum(reply.status != 200 or reply.outcome != "answered" for reply in replies)


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
        return failed(expected, outcome(end) + attempts + explain_queue(history), end, first_call)
    if end.status not in statuses:
        return failed(expected, outcome(end) + attempts, end, first_call)
    if end.elapsed > BOUND:
        actual = f"{outcome(end)} (tolerance {TOLERANCE_SECONDS:.0f} s){attempts}"
        late = failed(expected, actual, end, first_call)
        return blame_stalls(undisturbed(history, exchange), BOUND, "answer", end) or late
    return passed(
        f"{outcome(end)} (limit {DEADLINE_SECONDS:.0f} s, tolerance {TOLERANCE_SECONDS:.0f} s)", end
    )


def _body(history: History, exchange: Exchange, name: str, body: axes.Body) -> Verdict:
    too_large = name in axes.LARGE_BODIES.values
    what = f"a body of {name} to {exchange.request.path}"
    named = " or ".join(map(str, sorted(body.statuses)))
    expected = f"{named} for {what}" if too_large else f"neither 413 nor 400 for {what}"
    if body.sent:
        expected += ", while most of the body is still to come"
    if exchange.status in body.statuses and not (too_large and _reached(history, exchange)):
        return passed(f"{name}: {exchange.status}", exchange.end)
    if (
        isinstance(exchange.end, Failure)
        and exchange.end.error == "timeout"
        and disturbance(history, exchange)
    ):
        return too_busy("time the answer", exchange.end)
    return failed(expected, outcome(exchange.end), exchange.end)


def _closes(history: History, at_once: int, when: str) -> Iterable[Verdict]:
    kinds = kinds_tried(history)
    opened = [kind for kind in kinds if opening.is_open(history, kind)]
    if not opened:
        asked = [one for kind in kinds for one in opening.rejected(history, kind)]
        last = asked[-1].end if asked else None
        actual = f"the breaker never opened: {outcome(last)} for a request after the failures"
        yield failed(f"requests are served again after the cool-down, {when}", actual, last)
        return
    for kind in closing.recoveries(history):
        yield closing.recovers(history, kind, at_once, when)
        yield from closing.bounded_probes(history, kind)
    for judge in (closing.names_cool_down, closing.lasts):
        yield from (fault for kind in opened if (fault := judge(history, kind)))


def _served(history: History, asked: Sequence[Exchange], after: str) -> Iterable[Verdict]:
    for exchange in asked:
        calls = history.calls(key=exchange.request.key)
        if exchange.status == 200 and calls:
            yield passed(f"served after {after}", exchange.end)
            continue
        reached = "" if calls else ", and the model was not called"
        yield failed(
            f"a healthy model is called and serves after {after}",
            outcome(exchange.end) + reached,
            exchange.end,
        )


def _not_turned_away(history: History, exchange: Exchange, after: str) -> Verdict:
    """Judge that no breaker rejects a request; a service may have other troubles with an upstream that was down."""
    end = exchange.end
    if (
        not isinstance(end, Answer)
        or end.status != 503
        or seconds_of(end) is None
        or _reached(history, exchange)
    ):
        return passed(f"let through after {after}", end)
    return failed(
        f"a healthy model is called after {after}", f"{outcome(end)}, and the model was not called", end
    )


def _bystanders(history: History, hanging: Sequence[Exchange]) -> Verdict:
    """Judge that other endpoints answer while requests hang; what they answer is for other exercises to judge."""
    begun = hanging[0].request.t
    logins = [one for one in history.exchanges(LOGIN_LABEL) if one.request.t > begun]
    asked = history.exchanges("bystander") + logins
    expected = f"other endpoints answer within {BYSTANDER_SECONDS:.0f} s while 20 requests wait for the model"
    unanswered = [
        one
        for one in asked
        if not isinstance(one.end, Answer) or undisturbed(history, one) > BYSTANDER_SECONDS
    ]
    if len(unanswered) > SLOW_BYSTANDERS:
        first = unanswered[0]
        return failed(
            expected, f"{first.request.method} {first.request.path}: {outcome(first.end)}", first.end
        )
    return passed(f"{len(asked)} requests to other endpoints answered", *(one.end for one in asked[-1:]))
