"""Judges the request ids of answers: whether there is one, whose it is, and what became of the caller's."""

import itertools
from collections.abc import Sequence

from chaos.history import Answer, Event, Exchange, Failure, History, Log, Ready, Signalled
from exercises.exam.ex6_structured_logging.planted import (
    HEADER,
    HOSTILE_PREFIX,
    ODD_PREFIX,
    is_harmless,
    mark,
    planted_name,
    sent_id,
)
from exercises.exam.ex6_structured_logging.records import Record, parse
from lab.reading import excerpt
from lab.verdict import Verdict, failed, passed

REFUSED_BY_SERVER = {400, 431}
"""What servers answer to a head that they do not accept, before any application sees it."""
SHARED_BY_CHANCE = 5
"""Among thousands of ids of eight hexadecimal digits two may be the same; among those that are counted most are."""
CUT_BY_SERVER = 500
"""What servers answer in place of an application that they stop while it works on a request."""


def answered_id(end: Answer | Failure | None) -> str | None:
    """Return the X-Request-ID of an answer, once if it is repeated; None for no answer or no id in it."""
    if not isinstance(end, Answer):
        return None
    header = end.headers.get(HEADER, "").strip()
    values = {value.strip() for value in header.split(",")}
    return (values.pop() if len(values) == 1 else header) or None


def known_id(exchange: Exchange) -> str | None:
    """Return the id under which a request's records should be: its answer's, else the one that it was sent with."""
    return answered_id(exchange.end) or sent_id(exchange.request)


def answered(history: History) -> list[Exchange]:
    """Return the requests since the start that were answered."""
    ready = history.instance().first(Ready)
    return [one for one in history.exchanges() if ready and one.answer and one.request.t >= ready.t]


def stopped_at(history: History) -> float:
    """Return when the service was first told to stop."""
    return min((event.t for event in history.instance().of(Signalled)), default=float("inf"))


def unique_ids(history: History) -> Verdict:
    """Judge that each answer has an id, and no id that the service has made stands in two."""
    expected = "X-Request-ID in every answer, different for each request"
    seen: dict[str, Exchange] = {}
    stopped = stopped_at(history)
    for exchange in answered(history):
        own = answered_id(exchange.end)
        if not own and _is_made_by_server(exchange, stopped):
            continue
        if not own:
            actual = f"none in a {exchange.status} ({exchange.request.label})"
            return failed(expected, actual, exchange.end)
        if "," in own and not exchange.request.label.startswith(HOSTILE_PREFIX):
            actual = f"two of them in a {exchange.status} ({exchange.request.label}): {excerpt(own, 100)}"
            return failed(expected, actual, exchange.end)
        if own in seen and not own == sent_id(exchange.request) == sent_id(seen[own].request):
            other = seen[own].request.label
            actual = f"'{excerpt(own, 60)}' for two requests ({other}, {exchange.request.label})"
            return failed(expected, actual, exchange.end, seen[own].end)
        seen[own] = exchange
    statuses = ", ".join(map(str, sorted({one.status for one in seen.values() if one.status})))
    return passed(f"{len(seen)} answers ({statuses}), each with its own")


def shared_ids(histories: Sequence[History]) -> Verdict:
    """Judge that two instances do not make the same ids. A few may be the same by chance, if ids are short."""
    expected = "X-Request-ID different for each request, also of two instances"
    made = [_made_ids(history) for history in histories]
    for one, other in itertools.combinations(made, 2):
        if len(shared := one.keys() & other.keys()) >= SHARED_BY_CHANCE:
            first = min(shared, key=lambda own: one[own].request.t)
            actual = (
                f"two instances have made {len(shared)} ids that are the same, such as '{excerpt(first, 60)}'"
            )
            return failed(expected, actual, one[first].end, other[first].end)
    return passed(f"different ids from {len(made)} instances")


def _made_ids(history: History) -> dict[str, Exchange]:
    """Return the ids that were given to requests without one."""
    asked = (one for one in answered(history) if HEADER not in one.request.headers)
    return {own: one for one in asked if (own := answered_id(one.end))}


def has_to_be_kept(exchange: Exchange) -> str | None:
    """Return the id of the caller's that has to be in a request's answer; None where it need not be there."""
    return None if exchange.request.label.startswith(ODD_PREFIX) else sent_id(exchange.request)


def is_same(one: str, other: str | None) -> bool:
    """Whether two ids are the same: a UUID may be written in capitals or not."""
    return other is not None and one.lower() == other.lower()


def echo(exchange: Exchange) -> tuple[str, Event] | None:
    """Return where the hostile id of a request came back as it was, with its answer; None where it did not."""
    answer, marked = exchange.answer, mark(exchange.request.key or "")
    if answer is None:
        return None
    for name, value in answer.headers.items():
        if marked in value.lower() and not is_harmless(value):
            return f"the header {name}", answer
    body = parse(Log(stream="stdout", text=answer.body))
    if body and any(marked in one.lower() and not is_harmless(one) for one in body.ids):
        return "the body", answer
    return None


def harm(line: Log, record: Record | None, marked: str) -> str | None:
    """Return what the hostile id that is marked so has done to a line; None for nothing."""
    if marked not in line.text:
        return None
    if record is None:
        return "it stands in a line that is no JSON object"
    if any(planted_name(marked) in name for name in record.names):
        return "a quote in it has ended its string and added a field"
    return None


def _is_made_by_server(exchange: Exchange, stopped: float) -> bool:
    """Whether an answer may be the server's own, made without the application."""
    answer = exchange.answer
    if answer is None:
        return False
    if exchange.request.label.startswith(HOSTILE_PREFIX):
        return answer.status in REFUSED_BY_SERVER
    cut = answer.status == CUT_BY_SERVER and answer.t >= stopped
    return cut and parse(Log(stream="stdout", text=answer.body)) is None
