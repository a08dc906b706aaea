"""4.1 and 4.3: what is tried again and what is not, counted at the model."""

from chaos.history import Answer, Exchange, History
from chaos.keys import answer_code
from exercises.exam.ex4_errors_and_retry.axes import CLIENT_ERRORS, REFUSED, TRANSIENT
from exercises.exam.ex4_errors_and_retry.rejections import is_rejection, told
from lab.reading import outcome
from lab.verdict import Verdict, all_of, failed, not_judged, passed

GAVE_UP_AT_ONCE = 0.1
"""Whoever has an error so soon has not paused before another attempt."""


def transient_recovers(transient: History, refusals: History) -> Verdict:
    labels = [
        label
        for kind in TRANSIENT.values
        for label in dict.fromkeys(
            exchange.request.label
            for exchange in transient.exchanges()
            if exchange.request.label in {f"{kind} once", f"{kind} twice"}
        )
    ]
    labels = told(transient, labels, hoped=True)
    verdict = all_of([*(_recovered(transient, label) for label in labels), _refused_is_tried_again(refusals)])
    return passed(f"{len(labels)} kinds of failure, each answered with 200") if verdict.passed else verdict


def client_errors_are_final(refusals: History) -> Verdict:
    expected = "one call to the model for each of 400, 401, 403, 404 and 422"
    reached = 0
    for code in CLIENT_ERRORS.values:
        for exchange in refusals.exchanges(f"model-{code}"):
            calls = refusals.calls(key=exchange.request.key)
            if len(calls) > 1:
                return failed(expected, f"{len(calls)} calls for a {code}", calls[1].call, exchange.end)
            reached += len(calls)
    if not reached:
        return not_judged("no request reached the refusing model", blame="submission")
    for exchange in refusals.exchanges("400 after a 503"):
        calls = refusals.calls(key=exchange.request.key)
        if len(calls) > 2:
            return failed(
                expected, f"{len(calls)} calls for a 503 and then a 400", calls[2].call, exchange.end
            )
    return passed(f"{reached} refusals, one call each")


def _recovered(history: History, label: str) -> Verdict:
    """Judge the last request of a kind: those before it were spoilt by a breaker, or met no refused connection."""
    exchange = history.exchanges(label)[-1]
    key = exchange.request.key or ""
    calls = history.calls(key=key)
    expected = f"200 with the model's answer after a passing failure ({label})"
    end = exchange.end
    if isinstance(end, Answer) and end.status == 200 and calls and answer_code(key) in end.body:
        return passed(f"{label}: {outcome(end)}, {_calls(len(calls))}", end)
    return failed(
        expected,
        f"{outcome(end)} and {_calls(len(calls))}",
        end,
        calls[0].call if calls else None,
    )


def _refused_is_tried_again(history: History) -> Verdict:
    """Judge that requests do not give up at once while connections are refused, unless a breaker rejects them."""
    asked = [one for one in history.exchanges(f"lasting {REFUSED}") if not is_rejection(one.end)]
    if asked and all(map(_gave_up_at_once, asked)):
        expected = "another attempt after a refused connection"
        return failed(expected, outcome(asked[0].end), asked[0].end)
    return passed("refused connections are tried again")


def _gave_up_at_once(exchange: Exchange) -> bool:
    return isinstance(exchange.end, Answer) and exchange.end.elapsed < GAVE_UP_AT_ONCE


def _calls(count: int) -> str:
    return "1 model call" if count == 1 else f"{count} model calls"
