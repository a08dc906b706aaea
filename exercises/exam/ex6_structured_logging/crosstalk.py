"""Whether request ids hold while many requests are under way: no record of one carries the id of another.

What ties a record to its request, apart from the id, is a text that this request alone has caused: the key in its
prompt or path, the nonce in the model's answer to it, the incident of its error. Records without such a text are
counted: where some requests have fewer than usual and one has many more, it has theirs.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from chaos.history import Answer, Event, Exchange, History
from chaos.keys import answer_code, find_answer_codes, find_keys
from exercises.exam.ex6_structured_logging.ids import known_id
from exercises.exam.ex6_structured_logging.records import Record
from lab.reading import error_fields, excerpt

HOARD = 5
"""So many records more than a request has when it is alone are not its own; so many requests with fewer are no accident."""


@dataclass(frozen=True, slots=True)
class Mixup:
    """What shows that an id was not kept to its request."""

    description: str
    evidence: tuple[Event | None, ...]


def find_mixup(history: History, records: list[Record]) -> Mixup | None:
    """Return a sign of an id that strayed to another request; None for none."""
    exchanges = {own: one for one in history.exchanges() if (own := known_id(one))}
    return _misattributed(exchanges, records) or _hoarded(history, exchanges, records)


def _misattributed(exchanges: dict[str, Exchange], records: Iterable[Record]) -> Mixup | None:
    by_text = {
        text: own
        for own, one in exchanges.items()
        if (key := one.request.key)
        for text in (key, answer_code(key))
    }
    given = Counter(_incident(one) for one in exchanges.values())
    # An incident that several answers have (4.5 is about those) says nothing of whose record this is.
    by_incident = {
        incident: own
        for own, one in exchanges.items()
        if (incident := _incident(one)) and given[incident] == 1
    }
    for record in records:
        strays = [exchanges[found] for found in record.ids if found in exchanges]
        about = _incident_told(record, by_incident) or _request_told(record, by_text, exchanges)
        if about and strays and not record.carries(about):
            told = f"a record about one request carries the id of another: {excerpt(record.line.text)}"
            return Mixup(told, (record.line, exchanges[about].request, strays[0].request))
    return None


def _incident(exchange: Exchange) -> str:
    fields = error_fields(exchange.end) if isinstance(exchange.end, Answer) else {}
    return str(fields.get("incident_id") or "")


def _incident_told(record: Record, by_incident: dict[str, str]) -> str | None:
    return next((own for incident, own in by_incident.items() if incident in record.line.text), None)


def _request_told(record: Record, by_text: dict[str, str], exchanges: dict[str, Exchange]) -> str | None:
    """Return the id of the one request that a record is about; None where that is none, several or not certain.

    Once a request is answered, its prompt may stand in another's records for good reason: as a near miss of a cache.
    """
    text = record.line.text
    told = {by_text[found] for found in (*find_keys(text), *find_answer_codes(text)) if found in by_text}
    if len(told) != 1:
        return None
    own = told.pop()
    end = exchanges[own].end
    return own if end is None or record.line.t <= end.t else None


def _hoarded(history: History, exchanges: dict[str, Exchange], records: Iterable[Record]) -> Mixup | None:
    counts = Counter(found for record in records for found in record.ids)
    alone = [counts[own] for own in _plain(history, exchanges, "solitary")]
    crowd = _plain(history, exchanges, "crowd")
    if not alone or not crowd:
        return None
    short = [own for own in crowd if counts[own] < min(alone)]
    surplus = {
        own: counts[own] - max(alone) * max(1, len(history.calls(key=one.request.key)))
        for own, one in exchanges.items()
    }
    fullest = max(surplus, key=lambda own: surplus[own])
    if len(short) < HOARD or surplus[fullest] < HOARD:
        return None
    told = (
        f"a request that is alone has {min(alone)} or more records; of {len(crowd)} at once {len(short)} have fewer, "
        f"and one request has {counts[fullest]}"
    )
    return Mixup(told, (exchanges[fullest].request, exchanges[short[0]].request))


def _plain(history: History, exchanges: dict[str, Exchange], label: str) -> list[str]:
    """Return the ids of the requests with a label that were served at the first attempt."""
    return [
        own
        for own, one in exchanges.items()
        if one.request.label == label and one.status == 200 and len(history.calls(key=one.request.key)) == 1
    ]
