"""Whether request ids hold while many requests are under way: no record of one carries the id of another.

What ties a record to its request, apart from the id, is a text that only this request has caused: the key in its
prompt or path, the nonce in the model's answer to it, the incident of its error. Records without such a text are
counted: where some requests have fewer than usual and one has many more, it has theirs.
"""

from collections import Counter
from dataclasses import dataclass
from statistics import median_low

from chaos.history import Answer, Event, Exchange, Failure, History
from chaos.keys import answer_code, find_answer_codes, find_keys
from exercises.ex6_structured_logging.planted import HEADER, sent_id
from exercises.ex6_structured_logging.records import Record
from exercises.reading import error_fields, excerpt

HOARD = 5
"""So many records more than the most that a request alone had are not its own."""


@dataclass(frozen=True, slots=True)
class Mixup:
    """What shows that an id was not kept to its request."""

    description: str
    evidence: tuple[Event | None, ...]


def known_id(exchange: Exchange) -> str | None:
    """Return the id under which a request's records should be: its answer's, else the one that it was sent with."""
    return answered_id(exchange.end) or sent_id(exchange.request)


def answered_id(end: Answer | Failure | None) -> str | None:
    """Return the X-Request-ID of an answer; None for no answer or no id in it."""
    if not isinstance(end, Answer):
        return None
    values = {value.strip() for value in end.headers.get(HEADER, "").split(",")}
    return values.pop() or None if len(values) == 1 else end.headers[HEADER].strip()


def find_mixup(history: History, records: list[Record]) -> Mixup | None:
    """Return the first sign of an id that strayed to another request; None for none."""
    exchanges = [one for one in history.exchanges() if known_id(one)]
    owners = {known_id(one): one for one in exchanges}
    by_text = {text: one for one in exchanges for text in _texts(one)}
    for record in records:
        strays = [owners[found] for found in record.ids if found in owners]
        about = _about(record, by_text)
        if about and strays and not record.carries(known_id(about) or ""):
            key = about.request.key or about.request.path
            return Mixup(
                f"a record about the request with {key} carries the id of another: {excerpt(record.line.text)}",
                (record.line, about.request, strays[0].request),
            )
    return _hoard(history, records)


def _about(record: Record, by_text: dict[str, Exchange]) -> Exchange | None:
    """Return the one request that a record is about; None where that is none, or more than one, or not certain.

    Once a request is answered, its prompt may stand in another's records for good reason: as a near miss of a cache.
    """
    text = record.line.text
    found = [by_text[mark] for mark in (*find_keys(text), *find_answer_codes(text)) if mark in by_text]
    numbers = {one.request.request for one in found}
    if len(numbers) != 1:
        return None
    [about] = found[:1]
    return about if about.end is None or record.line.t <= about.end.t else None


def _texts(exchange: Exchange) -> list[str]:
    key = exchange.request.key
    return [key, answer_code(key)] if key else []


def find_strayed_incident(history: History, records: list[Record]) -> Mixup | None:
    """Return a record that has the incident of one request's error and the id of another request."""
    owners = {known_id(one): one for one in history.exchanges() if known_id(one)}
    for exchange in owners.values():
        incident = error_fields(exchange.end).get("incident_id") if isinstance(exchange.end, Answer) else None
        if not incident:
            continue
        for record in records:
            others = [owners[found] for found in record.ids if found in owners]
            if str(incident) in record.line.text and others and exchange not in others:
                return Mixup(
                    f"the record of an error carries the id of another request: {excerpt(record.line.text)}",
                    (record.line, exchange.end, others[0].request),
                )
    return None


def _hoard(history: History, records: list[Record]) -> Mixup | None:
    counts = Counter(found for record in records for found in record.ids)
    alone = [counts[known_id(one) or ""] for one in _plain(history, "solitary")]
    crowd = _plain(history, "crowd")
    if not alone or not crowd:
        return None
    usual, most = median_low(alone), max(alone)
    short = [one for one in crowd if counts[known_id(one) or ""] < min(alone)]
    everyone = [one for one in history.exchanges() if known_id(one) and one.request.label.startswith("crowd")]
    fullest = max(everyone, key=lambda one: counts[known_id(one) or ""])
    surplus = counts[known_id(fullest) or ""] - most
    if len(short) < HOARD or surplus < HOARD:
        return None
    return Mixup(
        f"alone, a request has {usual} records; of {len(crowd)} at once {len(short)} have fewer, "
        f"and one has {counts[known_id(fullest) or '']}",
        (fullest.request, short[0].request),
    )


def _plain(history: History, label: str) -> list[Exchange]:
    """Return the requests that were served at the first attempt."""
    return [
        one
        for one in history.exchanges(label)
        if one.status == 200 and known_id(one) and len(history.calls(key=one.request.key)) == 1
    ]
