"""4.5: what every error answer holds, and that its incident is in the logs and nobody else's."""

import math
from collections.abc import Iterable, Sequence
from email.utils import parsedate_to_datetime

from chaos.history import Answer, Exchange, History
from exercises.exam.ex4_errors_and_retry.error_body import FIELDS, context, every_error
from exercises.exam.ex4_errors_and_retry.incidents import Incidents
from exercises.exam.ex4_errors_and_retry.timestamps import QUARTER, is_between, seconds_of
from lab.reading import excerpt
from lab.verdict import Verdict, failed, not_judged, passed

CLOCK_SECONDS = 5.0
"""How far a timestamp may be off: dates have whole seconds, some servers renew theirs once a second."""
REFUSED_UNREAD = {411, 413}
"""Bodies that are too large may be refused by a server or framework, before a service's own code."""
EXPECTED = "error, message, timestamp and a unique incident_id, which a log record has too"


def errors_have_context(
    refusals: History, hang: History, transient: History, mlflow_down: History, run: Sequence[History]
) -> Verdict:
    looked = 0
    for history in (refusals, hang, transient, mlflow_down):
        incidents = Incidents(history)
        for exchange in every_error(history):
            if exchange.status in REFUSED_UNREAD:
                continue
            looked += 1
            if wrong := _wrong_context(exchange, incidents):
                return failed(EXPECTED, f"{wrong} ({exchange.request.label})", exchange.end)
        if still := _out_of_step(history):
            timestamp = excerpt(str(context(still)["timestamp"]), 60)
            return failed(
                EXPECTED, f"a timestamp that is not of then in a {still.status}: {timestamp}", still
            )
    if not looked:
        return not_judged("the service gave no error answer", blame="submission")
    if twice := _given_twice(run):
        incident = excerpt(str(context(twice)["incident_id"]), 60)
        return failed(EXPECTED, f"incident_id {incident} was given twice", twice)
    return passed(f"{looked} errors, each with its context and in the logs")


def _wrong_context(exchange: Exchange, incidents: Incidents) -> str | None:
    answer = exchange.answer
    assert answer
    fields = context(answer)
    for name in FIELDS:
        if fields.get(name) in (None, "", {}, []):
            return f"no '{name}' in a {answer.status}: {excerpt(answer.body)}"
    incident = str(fields["incident_id"])
    timestamp = fields["timestamp"]
    if seconds_of(timestamp) is None:
        return f"an unreadable timestamp in a {answer.status}: {excerpt(str(timestamp), 60)}"
    if not _is_of_then(answer, timestamp):
        return f"a timestamp that is not of then in a {answer.status}: {excerpt(str(timestamp), 60)}"
    if incident not in incidents:
        return f"incident_id {excerpt(incident, 60)} of a {answer.status} is in no log record"
    return None


def _out_of_step(history: History) -> Answer | None:
    """Return an error whose timestamp does not go with those of the others, where no Date says what time it was.

    The clocks of a service and of the lab are some time apart, which is the same for all errors.
    """
    least, most = -math.inf, math.inf
    for exchange in every_error(history):
        answer = exchange.answer
        read = seconds_of(context(answer).get("timestamp")) if answer else None
        if answer is None or read is None or "date" in answer.headers or answer.status in REFUSED_UNREAD:
            continue
        seconds, has_zone = read
        if not has_zone and math.isfinite(least):
            seconds -= round((seconds - answer.t - least) / QUARTER) * QUARTER
        least = max(least, seconds - answer.t)
        most = min(most, seconds - exchange.request.t)
        if least > most + CLOCK_SECONDS:
            return answer
    return None


def _is_of_then(answer: Answer, timestamp: object) -> bool:
    """Whether a timestamp is of the time of a request, by the answer's Date: some servers take that at its begin."""
    try:
        date = parsedate_to_datetime(answer.headers["date"]).timestamp()
    except (KeyError, ValueError, TypeError):
        return True
    spell = answer.elapsed + CLOCK_SECONDS
    return is_between(timestamp, date - spell, date + spell)


def _given_twice(run: Iterable[History]) -> Answer | None:
    """Return an error whose incident another one of the run has, too."""
    seen: set[str] = set()
    for history in run:
        for exchange in every_error(history):
            incident = context(exchange.answer).get("incident_id") if exchange.answer else None
            if incident is None:
                continue
            if str(incident) in seen:
                return exchange.answer
            seen.add(str(incident))
    return None
