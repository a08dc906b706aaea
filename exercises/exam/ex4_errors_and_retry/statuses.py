"""4.4: every kind of failure has its status, however often it happens."""

from collections.abc import Iterator, Mapping

from chaos.history import Exchange, History
from exercises.exam.ex4_errors_and_retry.axes import (
    CLIENT_ERRORS,
    INCOMPLETE,
    LASTING,
    LASTING_LIMIT,
    LONG,
    MALFORMED,
)
from exercises.exam.ex4_errors_and_retry.own_errors import ODD, PLAIN
from exercises.exam.ex4_errors_and_retry.rejections import is_rejection, told
from lab.reading import outcome
from lab.verdict import Verdict, failed, passed

CLIENT_STATUSES: Mapping[str, set[int]] = {
    "400": {400, 422},
    "404": {404, 400},
    "422": {422, 400},
}
LASTING_STATUSES: Mapping[str, set[int]] = {"500": {500, 502, 503}, "504": {502, 503, 504}}
UNAVAILABLE = {502, 503}
MALFORMED_STATUSES = {502}
INCOMPLETE_STATUSES = {200, 502}
RATE_LIMIT_STATUSES = {429}
GENERIC = 500
CALLERS_FAULT = set(range(400, 500))
NO_CRASH = set(range(200, 600)) - {GENERIC}
"""What services may take for right, or leave to the model, but none may fall over."""
SHOWN = 4


def failures_are_told_apart(refusals: History, hang: History, transient: History) -> Verdict:
    cases = [*_of_refusals(refusals), *_of_retries(transient), *_each(hang, "hanging", {504})]
    wrong = [(exchange, statuses) for exchange, statuses in cases if exchange.status not in statuses]
    if not wrong:
        kinds = {exchange.request.label for exchange, _ in cases}
        return passed(f"{len(cases)} failures of {len(kinds)} kinds, each with its status")
    first = {exchange.request.label: (exchange, statuses) for exchange, statuses in reversed(wrong)}
    shown = list(reversed(first.values()))[:SHOWN]
    return failed(
        ", ".join(f"{_either(statuses)} for {_case(exchange)}" for exchange, statuses in shown),
        ", ".join(f"{_case(exchange)}: {_status(exchange)}" for exchange, _ in shown),
        *(exchange.end for exchange, _ in shown),
    )


Cases = Iterator[tuple[Exchange, set[int]]]


def _of_refusals(history: History) -> Cases:
    # 401 and 403 are about the service's own key: whatever it makes of them, but no crash.
    refused = {
        f"model-{code}": CLIENT_STATUSES.get(code, set(range(400, 600)) - {GENERIC})
        for code in CLIENT_ERRORS.values
    }
    useless = {
        **{f"malformed: {name}": MALFORMED_STATUSES for name in MALFORMED.values},
        **{f"incomplete: {name}": INCOMPLETE_STATUSES for name in INCOMPLETE.values},
        f"rate limit: {LONG}": RATE_LIMIT_STATUSES,
        LASTING_LIMIT: RATE_LIMIT_STATUSES,
    }
    known = told(history, [*refused, *useless])
    for label, statuses in refused.items():
        yield from _each(history, label, statuses) if label in known else ()
    yield from _each(history, "400 after a 503", {400, 422, *UNAVAILABLE})
    for label, statuses in useless.items():
        yield from _last(history, label, statuses) if label in known else ()
    for name in PLAIN:
        yield from _each(history, f"wrong: {name}", CALLERS_FAULT)
    for name in ODD:
        asked = _each(history, f"wrong: {name}", NO_CRASH)
        yield from (case for case in asked if case[0].status == GENERIC)
    yield from _each(history, "lasting refused", UNAVAILABLE)


def _of_retries(history: History) -> Cases:
    for kind in LASTING.values:
        yield from _each(history, f"lasting {kind}", LASTING_STATUSES.get(kind, UNAVAILABLE))


def _each(history: History, label: str, statuses: set[int]) -> Cases:
    """Yield every exchange of a kind, but for those that a breaker has rejected and that were asked again."""
    exchanges = history.exchanges(label)
    for number, exchange in enumerate(exchanges, start=1):
        if number == len(exchanges) or not is_rejection(exchange.end):
            yield exchange, statuses


def _last(history: History, label: str, statuses: set[int]) -> Cases:
    yield from ((exchange, statuses) for exchange in history.exchanges(label)[-1:])


def _case(exchange: Exchange) -> str:
    """Say what an answer is to: a refusal of the model, or what the request's label says."""
    label = exchange.request.label
    code = label.removeprefix("model-")
    return f"the model's {code}" if code != label else f"'{label}'"


def _either(statuses: set[int]) -> str:
    if statuses == CALLERS_FAULT:
        return "4xx"
    if len(statuses) > SHOWN:
        return f"anything but {GENERIC}"
    return " or ".join(map(str, sorted(statuses)))


def _status(exchange: Exchange) -> str:
    return str(exchange.status) if exchange.status else outcome(exchange.end)
