"""Reads histories for checks: what became of a request, in words, and whether the lab had the processor."""

import json
import signal
from collections import Counter
from typing import Any

from chaos.history import (
    SERVICE,
    Answer,
    Call,
    Covered,
    Event,
    Exited,
    Failure,
    Fault,
    File,
    History,
    Linted,
    Log,
    OwnTests,
    Phase,
    Ready,
    Request,
    Signalled,
)
from chaos.plain_text import plain
from lab.timing import stalled

STARVED_SHARE = 0.2
"""A quota or a sleeping lab takes a third of an experiment and more; a machine that is only busy, a tenth at most."""
_SHOWN_TESTS = 3

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


def starved(history: History) -> float:
    """Return for how many seconds the lab itself stood still after the control phase, or in all where that is missing.

    It is 0 where that is too small a share of the time to have decided anything.
    """
    broken = next((phase.t for phase in history.of(Phase) if phase.name != "control"), 0.0)
    lasted = max((event.t for event in history.events), default=0.0) - broken
    seconds = stalled(history, broken, float("inf"))
    return seconds if seconds >= STARVED_SHARE * lasted else 0.0


def as_json(text: str) -> Any:
    """Return the value in a JSON text; None where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def error_fields(answer: Answer) -> dict[str, Any]:
    """Return the object that an error body holds, flat or nested under `detail`; empty where it holds none."""
    body = as_json(answer.body)
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


def describe_exit(exited: Exited) -> str:
    """Say how a process ended: by its code, or by the signal that ended it."""
    if exited.code >= 0:
        return f"exited with code {exited.code}"
    try:
        return f"was ended by {signal.Signals(-exited.code).name}"
    except ValueError:
        return f"was ended by the signal {-exited.code}"


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
        case Ready() | Signalled() | Exited():
            text = _describe_service(event)
        case File():
            text = f"{event.path}: {excerpt(event.text, 80) or 'empty'}"
        case Linted():
            return f"linter: {event.problem or f'exit code {event.code}'}"
        case Covered():
            lines, executed = (
                sum(getattr(one, name) for one in event.files) for name in ("lines", "executed")
            )
            text = f"covered: {event.problem or f'{executed} of {lines} lines ran'}"
        case OwnTests():
            text = _describe_tests(event)
        case _:
            fields = event.model_dump(exclude={"t", "kind"}, exclude_none=True)
            told = " ".join(f"{name}={excerpt(str(value), 80)}" for name, value in fields.items())
            text = f"{getattr(event, 'kind', 'event')} {told}"
    return text


def _describe_service(event: Ready | Signalled | Exited) -> str:
    which = "" if event.instance == SERVICE else f" ({excerpt(event.instance, 80)})"
    match event:
        case Ready():
            return f"the service answered{which}"
        case Signalled():
            return f"{event.signal} was sent to the service{which}"
        case Exited():
            return f"the service {describe_exit(event)}" + (f" ({event.cause})" if event.cause else "")


def _describe_end(history: History, end: Answer | Failure) -> str:
    request = next(one for one in history.of(Request) if one.request == end.request)
    asked = f"{request.method} {request.path} ({request.label}) -> {outcome(end)}"
    return f"{asked}: {excerpt(end.body)}" if isinstance(end, Answer) and end.status >= 400 else asked


def _describe_tests(run: OwnTests) -> str:
    """Say how many of a submission's own tests ended how, and which failed."""
    counts = Counter(case.outcome for case in run.cases)
    told = run.problem or ", ".join(f"{count} {name}" for name, count in counts.items()) or "there were none"
    failing = [f"{case.name} in {case.file}" for case in run.cases if case.outcome == "failed"]
    more = f" and {len(failing) - _SHOWN_TESTS} more" if len(failing) > _SHOWN_TESTS else ""
    named = f"; failed: {', '.join(failing[:_SHOWN_TESTS])}{more}" if failing else ""
    fault = f" with the fault '{run.fault}'" if run.fault else ""
    return f"own tests{fault}: {excerpt(told + named, 300)}"


def excerpt(text: str, length: int = 160) -> str:
    """Return the beginning of `text` on one line, without characters that would steer a terminal."""
    line = " ".join(plain(text[: 4 * length]).split())
    return line if len(line) <= length else line[: length - 3] + "..."
