"""Judges what log records hold: the fields that all of them need, and the ids of the requests that they tell of."""

import re
from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from chaos.history import Exchange, History, Log
from exercises.exam.ex6_structured_logging.ids import answered, known_id
from exercises.exam.ex6_structured_logging.planted import HOSTILE_PREFIX, sent_id
from exercises.exam.ex6_structured_logging.records import Record, records, written
from lab.reading import excerpt, outcome
from lab.verdict import Verdict, failed, not_judged, passed

VISIT = "visit: "
"""How the labels of requests begin that are alone while they are under way."""
LATE = 0.4
"""Seconds after an answer within which its records may still arrive."""
STANDSTILL = 3.0
"""Seconds over which the timestamps of records cannot be the same."""


def complete(history: History) -> Verdict:
    """Judge that every record has a timestamp, a level and a message."""
    expected = "a timestamp, a level and a message in every record"
    found = records(history)
    if not found:
        return failed(expected, "no log line is a JSON object", *written(history)[:1])
    for record in found:
        if not record.line.cut and (missing := _missing(record)):
            return failed(expected, f"no {missing} in {excerpt(record.line.text)}", record.line)
    return passed(f"{len(found)} records", found[-1].line)


def told_in_time(history: History) -> Verdict:
    """Judge that timestamps tell when records were made, and do not stand still.

    Those of one second may be read with some delay, but not those of most records.
    """
    whole = [record for record in records(history) if not record.line.cut]
    seen: dict[str | None, list[Log]] = {}
    for record in whole:
        seen.setdefault(record.timestamp, []).append(record.line)
    still = {time: lines for time, lines in seen.items() if lines[-1].t - lines[0].t >= STANDSTILL}
    if not still or 2 * sum(map(len, still.values())) <= len(whole):
        return passed("timestamps that go on")
    time, lines = max(still.items(), key=lambda one: len(one[1]))
    expected = "the timestamp of a record tells when it was made"
    actual = f"{len(lines)} of {len(whole)} records have {time}, over {lines[-1].t - lines[0].t:.0f} s"
    return failed(expected, actual, lines[0], lines[-1])


def served_under_ids(history: History) -> Verdict:
    """Judge that each request to the model has a record with its id, and each other one whose path is logged.

    What becomes of a hostile id is judged elsewhere.
    """
    expected = "a record with the request's id for every request that is served"
    reached = {call.call.key for call in history.calls()}
    ids = carried(history)
    found = records(history)
    known = {own for one in history.exchanges() if (own := known_id(one))}
    served = 0
    for exchange in answered(history):
        if exchange.request.label.startswith(HOSTILE_PREFIX):
            continue
        wanted = known_id(exchange)
        to_the_model = exchange.request.key in reached and exchange.request.key is not None
        if wanted and has_record(ids, exchange):
            served += to_the_model
        elif to_the_model and not wanted:
            return not_judged(
                "an answer has no X-Request-ID by which its records could be found",
                exchange.end,
                blame="submission",
            )
        elif to_the_model or (wanted and (line := _mention(found, exchange, known))):
            where = [] if to_the_model else [line]
            actual = f"no record has the id of {exchange.request.label} ({outcome(exchange.end)})"
            return failed(expected, actual, exchange.end, *where)
    return passed(f"{served} requests to the model, each with its id")


def carried(history: History) -> AbstractSet[str]:
    """Return all ids that the records of a history carry; those of records that were cut as far as they can be told."""
    found = records(history)
    cut = [record.line.text for record in found if record.line.cut]
    known = {own for one in history.exchanges() for own in (known_id(one), sent_id(one.request)) if own}
    return {own for record in found for own in record.ids} | {
        own for own in known if any(own in text for text in cut)
    }


def has_record(carried: AbstractSet[str], exchange: Exchange) -> bool:
    """Whether one of these ids is the request's, which records may have in small letters."""
    own = [one for one in (known_id(exchange), sent_id(exchange.request)) if one]
    return not carried.isdisjoint([*own, *map(str.lower, own)])


def _missing(record: Record) -> str | None:
    if record.timestamp is None:
        return "timestamp that can be read"
    if record.severity is None:
        return "level that is known"
    return None if record.has_message else "message"


def _mention(found: Iterable[Record], exchange: Exchange, known: AbstractSet[str]) -> Log | None:
    """Return a record that tells of a request by its path; None where none does.

    A path that others have too is the request's own while it is alone, in records that carry none of the `known` ids.
    """
    request, key = exchange.request, exchange.request.key
    if key and key in request.path:
        return next((record.line for record in found if key in record.line.text), None)
    if not request.label.startswith(VISIT) or exchange.end is None:
        return None
    path = re.compile(rf"(?<![\w:/.-]){re.escape(request.path.partition('?')[0])}(?![\w/-])")
    until = exchange.end.t + LATE
    return next(
        (
            record.line
            for record in found
            if request.t <= record.line.t <= until
            and record.ids.isdisjoint(known)
            and path.search(record.line.text)
        ),
        None,
    )
