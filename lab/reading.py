"""Reads histories for checks: what became of a request, in words, and whether a measurement can be trusted."""

import json
import re
from typing import Any

from chaos.history import (
    Answer,
    Call,
    Event,
    Exchange,
    Exited,
    Failure,
    Fault,
    History,
    Log,
    Phase,
    Request,
    Stall,
)

AFTERMATH = 0.1
"""So long after a stall the lab may still be busy with what has come meanwhile."""
STARVED_SHARE = 0.2
"""A quota or a sleeping lab takes a third of an experiment and more; a machine that is only busy, a tenth at most."""
STALL_SECONDS = 0.25
"""A stall of the lab's own below this does not spoil a measurement against a limit of a second."""

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x1f\x7f-\x9f]")
_FAILURES = {
    "refused": "the connection was refused",
    "reset": "the connection was reset",
    "eof": "the connection was closed without a whole answer",
    "malformed": "the answer was not HTTP",
    "aborted": "the lab hung up",
}


def outcome(end: Answer | Failure | None) -> str:
    """Say what became of a request, in a few words with its time."""
    match end:
        case Answer():
            return f"{end.status} after {end.elapsed:.2f} s"
        case Failure(error="timeout"):
            return f"no answer within {end.elapsed:.0f} s"
        case Failure():
            return f"{_FAILURES[end.error]} after {end.elapsed:.2f} s"
        case None:
            return "no answer"


def disturbance(history: History, exchange: Exchange) -> float:
    """Return for how many seconds the lab itself stood still while this request was under way."""
    return stalled(history, exchange.request.t, exchange.end.t if exchange.end else float("inf"))


def stalled(history: History, start: float, end: float) -> float:
    """Return for how many seconds between two moments of the history the lab itself stood still."""
    overlaps = (
        min(end, stall.t) - max(start, stall.t - stall.seconds)
        for stall in history.of(Stall)
        if stall.seconds >= STALL_SECONDS
    )
    return sum(overlap for overlap in overlaps if overlap > 0)


def blur(history: History, start: float, end: float) -> float:
    """Return by how many seconds the time between two moments of the history may be off, either way.

    What the lab met while it stood still, it saw right after: too late by as long as it had to wait at once.
    """
    return sum(
        stall.seconds if stall.late is None else stall.late
        for stall in history.of(Stall)
        if stall.seconds >= STALL_SECONDS and start - AFTERMATH <= stall.t and stall.t - stall.seconds <= end
    )


def starved(history: History) -> float:
    """Return for how many seconds the lab itself stood still after the control phase, or in all where that is missing.

    It is 0 where that is too small a share of the time to have decided anything.
    """
    broken = next((phase.t for phase in history.of(Phase) if phase.name != "control"), 0.0)
    lasted = max((event.t for event in history.events), default=0.0) - broken
    seconds = stalled(history, broken, float("inf"))
    return seconds if seconds >= STARVED_SHARE * lasted else 0.0


def error_fields(answer: Answer) -> dict[str, Any]:
    """Return the object that an error body holds, flat or nested under `detail`; empty where it holds none."""
    try:
        body = json.loads(answer.body)
    except ValueError:
        return {}
    if isinstance(body, dict) and isinstance(body.get("detail"), dict):
        body = {**body, **body["detail"]}
    return body if isinstance(body, dict) else {}


def error_answers(history: History) -> list[Answer]:
    """Return every answer of 400 and above to requests that ask the model."""
    path = history.contract.ask.path if history.contract.ask else ""
    return [
        exchange.end
        for exchange in history.exchanges()
        if exchange.request.path == path and isinstance(exchange.end, Answer) and exchange.end.status >= 400
    ]


def describe(history: History, event: Event) -> str:
    """Say in one line what an event was; answers are shown with the request that they belong to."""
    match event:
        case Answer() | Failure():
            text = _describe_end(history, event)
        case Call():
            text = f"{event.method} {event.path} reached {event.upstream}, which was scripted: {event.step or 'answer'}"
        case Fault():
            text = f"fault '{event.name}' of {event.upstream} {'on' if event.on else 'off'}"
        case Log():
            text = f"{event.stream}: {excerpt(event.text)}"
        case Exited():
            text = f"the service exited with {event.code}" + (
                f", for it {event.cause}" if event.cause else ""
            )
        case _:
            fields = event.model_dump(exclude={"t", "kind"}, exclude_none=True)
            told = " ".join(f"{name}={excerpt(str(value), 80)}" for name, value in fields.items())
            text = f"{getattr(event, 'kind', 'event')} {told}"
    return text


def _describe_end(history: History, end: Answer | Failure) -> str:
    request = next(one for one in history.of(Request) if one.request == end.request)
    asked = f"{request.method} {request.path} ({request.label}) -> {outcome(end)}"
    return f"{asked}: {excerpt(end.body)}" if isinstance(end, Answer) and end.status >= 400 else asked


def excerpt(text: str, length: int = 160) -> str:
    """Return the beginning of `text` on one line, without characters that would steer a terminal."""
    line = " ".join(_CONTROL.sub(" ", text[: 4 * length]).split())
    return line if len(line) <= length else line[: length - 3] + "..."
