"""The checks of exercise 4. Each judges recorded histories alone; its parameters name the experiments."""

import re
from collections import Counter
from datetime import datetime

from chaos.history import Answer, Exchange, Fault, History, Log, Trace
from chaos.keys import answer_code
from exercises.exam.ex4_errors_and_retry import backoff
from exercises.exam.ex4_errors_and_retry.planted import INTERNALS, LONG_RETRY_AFTER, RETRY_AFTER
from lab.reading import error_answers, error_fields, excerpt, outcome
from lab.retry_after import seconds_of
from lab.timing import blame_stalls, blur, too_busy, undisturbed
from lab.verdict import Verdict, all_of, failed, not_judged, passed

MAX_CALLS = 4
MLFLOW_SECONDS = 2.0
EARLY = 0.1
STRETCHED = 1.0
"""A stall may make a wait longer than it was. Whoever ignores Retry-After is shorter by more than this."""
"""Seconds by which clocks and rounding may make a pause look shorter than Retry-After."""
AT_ONCE = 5.0

STATUSES = {
    "model-400": {400, 422},
    "model-404": {404, 400},
    "long-rate-limit": {429},
    "malformed-json": {502},
    "empty-object": {502},
    "wrong-content-type": {502},
    "refused": {502, 503},
}
_INTERNALS = re.compile(
    r"Traceback \(most recent call last\)|File \"[^\"]+\"|\bsite-packages\b|\b[\w/.-]+\.py\b|(?<![\w.])/(?:home|usr|srv|app|root|tmp|var|opt)/[\w./-]+"
    r"|\b127\.0\.0\.1:\d+|\blocalhost:\d+|gateway-7\.internal"
)


def transient_recovers(transient: History) -> Verdict:
    return all_of(_recovered(transient, label) for label in ("reset-once", "500-once", "503-twice"))


def backs_off(backoff_500: History, backoff_503: History, transient: History) -> Verdict:
    expected = f"at most {MAX_CALLS - 1} retries, after pauses of about 1 s, 2 s and 4 s"
    for history in (backoff_500, backoff_503):
        [exchange] = history.exchanges("lasting-failure")
        calls = history.calls(key=exchange.request.key)
        if len(calls) > MAX_CALLS:
            return failed(
                expected, f"{len(calls)} calls for one request", calls[MAX_CALLS].call, exchange.end
            )
    requests = [
        backoff.pauses(history, exchange.request.key or "")
        for history in (backoff_500, backoff_503, transient)
        for label in ("lasting-failure", "three-failures", "503-twice")
        for exchange in history.exchanges(label)
    ]
    [lasting] = backoff_500.exchanges("lasting-failure")
    if not any(requests):
        return failed(expected, f"no retry at all: {outcome(lasting.end)}", lasting.end)
    if not backoff.is_certain(requests):
        return too_busy("time the pauses", lasting.end)
    if fault := backoff.find_fault(requests):
        return failed(expected, fault.description, fault.call)
    longest = max(requests, key=len)
    return passed(
        "pauses of " + ", ".join(f"{pause.seconds:.2f}" for pause in longest) + " s", longest[0].call
    )


def client_errors_are_final(refusals: History) -> Verdict:
    expected = "one call to the model for each of 400, 401, 403, 404 and 422"
    reached = 0
    for status in (400, 401, 403, 404, 422):
        [exchange] = refusals.exchanges(f"model-{status}")
        calls = refusals.calls(key=exchange.request.key)
        if len(calls) > 1:
            return failed(expected, f"{len(calls)} calls for a {status}", calls[1].call, exchange.end)
        reached += len(calls)
    if not reached:
        return not_judged("no request reached the refusing model", blame="submission")
    return passed(f"{reached} refusals, one call each")


def failures_are_told_apart(
    refusals: History, hang: History, backoff_500: History, backoff_503: History
) -> Verdict:
    [hanging] = hang.exchanges("hanging")
    [failing] = backoff_503.exchanges("lasting-failure")
    [erring] = backoff_500.exchanges("lasting-failure")
    cases = [
        *((refusals.exchanges(label)[0], statuses) for label, statuses in STATUSES.items()),
        (failing, {502, 503}),
        (erring, {500, 502, 503}),
        (hanging, {504}),
    ]
    wrong = [(exchange, statuses) for exchange, statuses in cases if exchange.status not in statuses]
    if not wrong:
        return passed(", ".join(f"{exchange.request.label}: {exchange.status}" for exchange, _ in cases))
    expected = ", ".join(
        f"{_either(statuses)} for '{exchange.request.label}'" for exchange, statuses in wrong
    )
    actual = ", ".join(f"{exchange.request.label}: {_told(exchange)}" for exchange, _ in wrong)
    return failed(expected, actual, *(exchange.end for exchange, _ in wrong))


def errors_have_context(
    refusals: History, hang: History, backoff_500: History, backoff_503: History
) -> Verdict:
    expected = "error, message, timestamp and a unique incident_id, which a log line carries too"
    seen: Counter[str] = Counter()
    for history in (refusals, hang, backoff_500, backoff_503):
        lines = [event.text for event in history.of(Log)]
        for answer in error_answers(history):
            if missing := _missing_context(answer):
                return failed(expected, f"{missing} in a {answer.status}: {excerpt(answer.body)}", answer)
            incident = str(error_fields(answer)["incident_id"])
            seen[incident] += 1
            if seen[incident] > 1:
                return failed(expected, f"incident_id {excerpt(incident, 60)} was given twice", answer)
            if not any(incident in line for line in lines):
                return failed(expected, f"incident_id {excerpt(incident, 60)} is in no log line", answer)
    if not seen:
        return not_judged("the service gave no error to look at", blame="submission")
    return passed(f"{len(seen)} errors, each with its context and in the logs")


def mlflow_down_costs_nothing(mlflow_down: History) -> Verdict:
    baseline = [one for one in mlflow_down.exchanges("baseline") if one.status == 200 and one.end]
    if not baseline:
        return not_judged("no request was answered before MLflow went down", blame="submission")
    usual = max(undisturbed(mlflow_down, one) for one in baseline)
    return all_of(
        verdict
        for label in ("mlflow-refused", "mlflow-hanging")
        for verdict in (_as_fast(mlflow_down, label, usual), _trace_kept(mlflow_down, label))
    )


def retry_after_is_honoured(refusals: History) -> Verdict:
    return all_of(
        [
            _honoured(refusals, "rate-limit", RETRY_AFTER),
            _honoured(refusals, "long-rate-limit", LONG_RETRY_AFTER),
        ]
    )


def errors_hide_internals(
    refusals: History, transient: History, hang: History, backoff_500: History, backoff_503: History
) -> Verdict:
    expected = "no traceback, file path or upstream address in an error body"
    looked = 0
    for history in (refusals, transient, hang, backoff_500, backoff_503):
        for answer in error_answers(history):
            looked += 1
            if leak := _INTERNALS.search(answer.body):
                return failed(expected, f"a {answer.status} says '{excerpt(leak.group(), 80)}'", answer)
            if INTERNALS in answer.body:
                return failed(expected, f"a {answer.status} passes the model's own error on", answer)
    if not looked:
        return not_judged("the service gave no error to look at", blame="submission")
    return passed(f"none in {looked} error bodies")


def _recovered(history: History, label: str) -> Verdict:
    [exchange] = history.exchanges(label)
    key = exchange.request.key or ""
    calls = history.calls(key=key)
    expected = f"200 with the model's answer after a passing failure ({label})"
    if not calls:
        return failed(expected, f"{outcome(exchange.end)}, without a call to the model", exchange.end)
    if isinstance(exchange.end, Answer) and exchange.status == 200 and answer_code(key) in exchange.end.body:
        return passed(f"{label}: {outcome(exchange.end)}, {len(calls)} calls", exchange.end)
    return failed(
        expected,
        f"{outcome(exchange.end)} after {len(calls)} call(s) to the model",
        exchange.end,
        calls[0].call,
    )


def _either(statuses: set[int]) -> str:
    return " or ".join(map(str, sorted(statuses)))


def _told(exchange: Exchange) -> str:
    return str(exchange.status) if exchange.status else outcome(exchange.end)


def _missing_context(answer: Answer) -> str | None:
    fields = error_fields(answer)
    for name in ("error", "message", "incident_id", "timestamp"):
        if not fields.get(name):
            return f"no '{name}'"
    if not _is_timestamp(fields["timestamp"]):
        return "an unreadable timestamp"
    return None


def _is_timestamp(value: object) -> bool:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value > 0
    try:
        datetime.fromisoformat(str(value))
    except ValueError:
        return False
    return True


def _as_fast(history: History, label: str, usual: float) -> Verdict:
    [exchange] = history.exchanges(label)
    key = exchange.request.key or ""
    expected = (
        f"the model's answer ({label}) at most {MLFLOW_SECONDS:.0f} s later than the usual {usual:.2f} s"
    )
    end = exchange.end
    if not isinstance(end, Answer) or end.status != 200 or answer_code(key) not in end.body:
        return failed(expected, outcome(end), end, _mlflow_fault(history))
    limit = usual + MLFLOW_SECONDS
    if end.elapsed > limit:
        late = failed(expected, outcome(end), end, _mlflow_fault(history))
        return blame_stalls(undisturbed(history, exchange), limit, "answer", end) or late
    return passed(f"{label}: {outcome(end)}", end)


def _trace_kept(history: History, label: str) -> Verdict:
    [exchange] = history.exchanges(label)
    traces = [trace for trace in history.of(Trace) if trace.key == exchange.request.key]
    if traces:
        return passed(f"trace in {traces[0].place} {excerpt(traces[0].detail, 60)}", traces[0])
    expected = f"the trace ({label}) in a local file of the service, or in MLflow once that is back"
    if not history.calls("mlflow"):
        return failed(expected, "in neither; MLflow was never called, even while it was up", exchange.end)
    return failed(expected, "in neither", exchange.end, _mlflow_fault(history))


def _mlflow_fault(history: History) -> Fault | None:
    return next((fault for fault in history.of(Fault) if fault.upstream == "mlflow"), None)


def _honoured(history: History, label: str, wait: float) -> Verdict:
    [exchange] = history.exchanges(label)
    end = exchange.end
    calls = history.calls(key=exchange.request.key)
    expected = f"after a 429 with Retry-After: {wait:.0f} no call for {wait:.0f} s, or a 429 with it at once"
    if not calls:
        return not_judged("the request did not reach the rate-limited model", end, blame="submission")
    if len(calls) > 1:
        first, again = calls[0].call, calls[1].call
        waited, off = again.t - first.t, blur(history, first.t, again.t)
        long_enough = waited >= wait - EARLY
        if waited - off < wait - EARLY - STRETCHED if long_enough else waited + off >= wait - EARLY:
            return too_busy("time the pause", again)
        if not long_enough:
            return failed(expected, f"called again after {waited:.1f} s", again, end)
    if isinstance(end, Answer) and end.status == 200 and len(calls) > 1:
        return passed(f"waited {calls[1].call.t - calls[0].call.t:.1f} s, then 200", end)
    if (
        isinstance(end, Answer)
        and end.status == 429
        and seconds_of(end) is not None
        and end.elapsed <= AT_ONCE
    ):
        return passed(f"429 passed on after {end.elapsed:.1f} s", end)
    with_header = isinstance(end, Answer) and end.status == 429 and seconds_of(end) is None
    return failed(expected, outcome(end) + (" without Retry-After" if with_header else ""), end)
