"""Judges whether the levels of records fit: loud about requests that failed, calm about those that went well."""

import itertools
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from chaos.history import Answer, Event, Exchange, Fault, History, Phase, Ready, Signalled
from exercises.exam.ex6_structured_logging.ids import answered_id, known_id, stopped_at
from exercises.exam.ex6_structured_logging.planted import sent_id
from exercises.exam.ex6_structured_logging.records import Record, records
from exercises.exam.ex6_structured_logging.severity import WARNING
from lab.reading import error_fields, excerpt, outcome
from lab.timing import disturbance, too_busy
from lab.verdict import Verdict, all_of, failed, passed

AT_EASE = 0.5
"""Seconds within which an answer cannot be what a service warns of as slow."""
PROMPT = 0.1
SLOWER_THAN_USUAL = 2.0
"""Seconds, and a multiple of what requests of the run usually took: slower ones may have met a bound of the service's.

On a busy machine a cache that is given 0.3 s may not answer in time, which is worth a warning. That is one request in
many; a service that warns of what is normal does so at its usual pace.
"""
MAY_HAVE_WAITED = 0.25
"""Seconds after which one request among others may have met such a bound, on a machine so busy that all are slow."""
SOON = 1.0
"""Seconds after an answer within which a record is about the request, and not about work that went on behind it."""
LATE = 0.5
"""Seconds after an answer within which its records may still arrive."""

Level = Callable[[Record], int | None]
SCALES: tuple[Level, ...] = (lambda record: record.severity, lambda record: record.severity_as_pino)
"""What a number stands for: as Python's logging has it, or as pino and bunyan have it."""


@dataclass(frozen=True, slots=True)
class _Told:
    """The records of a history at hand for questions about single requests."""

    found: Sequence[Record]
    loud: str
    """The text of all records of WARNING and above."""
    loud_by_id: dict[str, Record]
    """Those that came while nothing was broken, which later work for the same request may have met."""


def failures(history: History, *, elsewhere: bool) -> list[Exchange]:
    """Return the requests that were answered with 5xx before the service was told to stop.

    A report that says 503 is no failure. Of experiments `elsewhere`, what the model was asked counts.
    """
    stopped = stopped_at(history)
    ready = history.instance().first(Ready)
    ask = history.contract.ask.path if history.contract.ask else ""
    readiness = history.contract.endpoints["readiness"]
    return [
        one
        for one in history.exchanges()
        if ready
        and one.answer
        and one.answer.status >= 500
        and ready.t <= one.request.t
        and one.answer.t < stopped
        and one.request.path.partition("?")[0] != readiness
        and (one.request.path == ask or not elsewhere)
    ]


def usual_pace(requests: Iterable[Exchange]) -> float:
    """Return within how many seconds a request was no slower than usual, from the normal ones of a run."""
    taken = [one.answer.elapsed for one in requests if one.answer]
    usual = statistics.median(taken) if taken else 0.0
    return min(AT_EASE, max(PROMPT, SLOWER_THAN_USUAL * usual))


def normal(history: History) -> list[Exchange]:
    """Return the requests that went well before anything was broken, at once and without a delay worth a warning."""
    ready = history.instance().first(Ready)
    calls = Counter(call.call.key for call in history.calls())
    in_order = itertools.takewhile(lambda event: not _breaks(event), history.events)
    before = {event.request for event in in_order if isinstance(event, Answer)}
    return [
        one
        for one in history.exchanges()
        if ready
        and one.answer
        and ready.t <= one.request.t
        and one.request.request in before
        and 200 <= one.answer.status < 300
        and one.answer.elapsed < AT_EASE
        and (one.request.key is None or calls[one.request.key] <= 1)
    ]


def is_disturbed(history: History) -> bool:
    """Whether the lab itself stood still while requests were under way before anything was broken."""
    return any(disturbance(history, one) for one in history.exchanges())


def judge(
    history: History,
    failed_ones: Iterable[Exchange],
    normal_ones: Iterable[Exchange],
    level: Level,
    *,
    pace: float,
) -> Verdict:
    """Judge the records of a history: loud about those that failed, calm about those that went well.

    `pace` is the run's usual one, in seconds.
    """
    told = _told(history, level)
    known = {own for one in history.exchanges() if (own := known_id(one))}
    verdicts = [_failure_is_told(told, one, known) for one in failed_ones]
    calm = _are_calm(told, [one for one in normal_ones if one.answer and one.answer.elapsed < pace])
    return all_of([*verdicts, *calm]) if verdicts else all_of([passed("no failures"), *calm])


def _are_calm(told: _Told, normal_ones: Sequence[Exchange]) -> list[Verdict]:
    """Judge that what went well is not warned of; for one alone that took long, a busy machine may be the reason."""
    verdicts = [_is_calm(told, one) for one in normal_ones]
    loud = [i for i, verdict in enumerate(verdicts) if not verdict.passed]
    if len(loud) == 1 < len(verdicts):
        answer = normal_ones[loud[0]].answer
        if answer and answer.elapsed >= MAY_HAVE_WAITED:
            verdicts[loud[0]] = too_busy(
                "tell what a slow request was warned of", *verdicts[loud[0]].evidence
            )
    return verdicts


def _breaks(event: Event) -> bool:
    """Whether something is broken from an event on, or the service is about to stop."""
    match event:
        case Phase(name=name):
            return name != "control"
        case Fault(on=on):
            return on
    return isinstance(event, Signalled)


def _told(history: History, level: Level) -> _Told:
    found = records(history)
    loud = [record for record in found if record.line.cut or (level(record) or 0) >= WARNING]
    broken = next((event.t for event in history.events if _breaks(event)), float("inf"))
    calm_time = (record for record in loud if not record.line.cut and record.line.t < broken)
    by_id = {own: record for record in calm_time for own in record.ids}
    return _Told(found, "\n".join(record.line.text for record in loud), by_id)


def _failure_is_told(told: _Told, exchange: Exchange, known: set[str]) -> Verdict:
    expected = "a record of WARNING or above with its id for every request that failed"
    end = exchange.end
    fields = error_fields(end) if isinstance(end, Answer) else {}
    named = (answered_id(end), sent_id(exchange.request), str(fields.get("incident_id") or ""))
    ids = {spelled for one in named if one for spelled in (one, one.lower())}
    if any(one in told.loud for one in ids):
        return passed(f"{exchange.request.label}: {outcome(end)}, told")
    own = [record for record in told.found if any(one in record.line.text for one in ids)]
    if not answered_id(end) and not own:
        # Without an id all that ties a record to its request is the time.
        until = end.t + LATE if end else float("inf")
        own = [
            record
            for record in told.found
            if exchange.request.t <= record.line.t <= until and record.ids.isdisjoint(known)
        ]
        if any(record.line.text in told.loud for record in own):
            return passed(f"{exchange.request.label}: {outcome(end)}, told at the time")
    told_so = f"only lower ones, as {excerpt(own[0].line.text)}" if own else "none"
    actual = f"{told_so} for {exchange.request.label} ({outcome(end)})"
    return failed(expected, actual, end, *[record.line for record in own[:1]])


def _is_calm(told: _Told, exchange: Exchange) -> Verdict:
    loud = told.loud_by_id.get(known_id(exchange) or "")
    if loud is None or (exchange.end and loud.line.t > exchange.end.t + SOON):
        return passed("calm")
    actual = f"{exchange.request.label} ({outcome(exchange.end)}): {excerpt(loud.line.text)}"
    return failed("no record of WARNING or above for what went well", actual, loud.line, exchange.end)
