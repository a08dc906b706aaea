"""What a student needs to see a failure on their own machine: the request that failed, and what the service logged then."""

import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from chaos.history import SERVICE, Answer, Call, Event, Failure, History, Log, Request
from chaos.plain_text import plain
from lab.reading import excerpt
from lab.verdict import Verdict

BASE: Final = "http://127.0.0.1:8000"
"""Where a student's own service listens, by the defaults of uvicorn."""
MOST_LINES: Final = 5
AFTER_SECONDS: Final = 0.5
"""A service may log a request after it has answered it."""
AT_ONCE_SECONDS: Final = 0.05
"""A server logs the traceback of a request right after its answer, when the next request may have begun."""
COMMAND_LENGTH: Final = 1500
_ADDRESS: Final = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_OWN_ADDRESS: Final = "127.0.0.1"
"""The service's and the upstreams', so it tells nothing about who has asked."""
_ID_HEADER: Final = "x-request-id"
_LEAST_ID: Final = 8
"""Shorter ids, such as counted ones, stand in lines by chance."""


@dataclass(frozen=True, slots=True)
class Clues:
    """A command with curl, and lines of the service's log; each is empty if there is nothing to show."""

    request: str = ""
    log: tuple[str, ...] = ()


def look_for_clues(verdict: Verdict, histories: Iterable[History]) -> Clues:
    """Return the first request that a verdict rests on, and what was logged around its first moment."""
    kept = list(histories)
    found = [(event, history) for event in verdict.evidence if (history := _holder(event, kept))]
    requests = (curl(request) for event, history in found if (request := _request(event, history)))
    log = logged_around(*found[0]) if found else ()
    return Clues(next(requests, ""), log)


def curl(request: Request) -> str:
    """Return a request as a command; empty if its body was not recorded, or is no text that fits into a command."""
    words = ["curl", "-i"]
    if request.method != "GET":
        words += ["-X", request.method]
    words.append(BASE + request.path)
    for name, value in request.headers.items():
        words += ["-H", f"{name}: {value}"]
    told = shlex.join(words)
    if request.authorized:
        told += ' -H "Authorization: Bearer $TOKEN"'
    if len(request.body.encode(errors="replace")) != request.body_bytes:
        return ""
    if request.body:
        told += f" --data-raw {shlex.quote(request.body)}"
    told = plain(told)
    return told if len(told) <= COMMAND_LENGTH and "\n" not in told else ""


def logged_around(event: Event, history: History) -> tuple[str, ...]:
    """Return the last lines that the service wrote during a request, or before another event, and right after it.

    Lines that name the address or the id of another request are about that one. So may others be, once a later one has
    begun.
    """
    if isinstance(event, Log):
        return ()  # it is shown itself
    lines = history.instance(getattr(event, "instance", SERVICE)).of(Log)
    if request := _request(event, history):
        found = _about(request, max(event.t, _answered(request, history)), history, lines)
    else:
        found = (one.text for one in lines if one.t <= event.t + AFTER_SECONDS)
    return tuple(map(excerpt, list(found)[-MOST_LINES:]))


def _about(request: Request, end: float, history: History, lines: Iterable[Log]) -> Iterator[str]:
    requests = history.of(Request)
    others = {one.source for one in requests} - {_OWN_ADDRESS, request.source}
    own_id, other_ids = _ids(request, history)
    later = max(min((one.t for one in requests if one.t > end), default=float("inf")), end + AT_ONCE_SECONDS)
    for line in lines:
        named = set(_ADDRESS.findall(line.text))
        has_id = bool(own_id) and own_id in line.text
        is_own = line.t < later or has_id or (request.source in named and request.source != _OWN_ADDRESS)
        if not is_own or not request.t <= line.t <= end + AFTER_SECONDS or others & named:
            continue
        if has_id or not any(one in line.text for one in other_ids):
            yield line.text


def _ids(request: Request, history: History) -> tuple[str, set[str]]:
    """Return the id that a request's answer has, empty if it has none, and those of all other answers."""
    ids = {answer.request: answer.headers.get(_ID_HEADER, "") for answer in history.of(Answer)}
    told = {number: one for number, one in ids.items() if len(one) >= _LEAST_ID}
    own = told.get(request.request, "")
    return own, set(told.values()) - {own}


def _answered(request: Request, history: History) -> float:
    """Return when a request ended, or when it was sent if it never did."""
    ends = (one.end.t for one in history.exchanges() if one.end and one.request.request == request.request)
    return next(ends, request.t)


def _holder(event: Event, histories: Iterable[History]) -> History | None:
    return next((one for one in histories if any(event is each for each in one.events)), None)


def _request(event: Event, history: History) -> Request | None:
    """Return the request that an event is, ends, or (a call to an upstream) was made for."""
    match event:
        case Request():
            return event
        case Answer() | Failure():
            return next((one for one in history.of(Request) if one.request == event.request), None)
        case Call(key=str(key)):
            return next((one for one in history.of(Request) if one.key == key), None)
        case _:
            return None
