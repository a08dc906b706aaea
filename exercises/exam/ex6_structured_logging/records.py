"""Reads what a service wrote as log records: the fields that the exam asks for, under the names that it allows."""

import functools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from chaos.history import Answer, Exited, History, Log, Ready, Request, Signalled
from exercises.exam.ex6_structured_logging import severity
from exercises.exam.ex6_structured_logging.timestamps import is_timestamp

DEPTH = 4
"""Fields are looked for at the top and in objects inside of it: `extra`, `log`, `record.extra`, `http.request`."""
MOST_FIELDS = 1000

_MESSAGE = {"message", "msg", "event", "body", "shortmessage"}
_LEVEL = {
    *("level", "severity", "loglevel", "levelname", "lvl"),
    *("severitytext", severity.OPENTELEMETRY_NUMBER),
}
_TIME = {
    *("timestamp", "ts", "time", "asctime", "datetime", "timestampseconds"),
    *("timeunixnano", "observedtimestamp", "observedtimeunixnano"),
}
_ID = ("requestid", "reqid", "correlationid", "traceid", "transactionid")
_GOOGLE_TRACE = "logginggoogleapiscomtrace"
_PINO = {"msg", "time"}
_WRAPPED = {"stringValue", "intValue", "doubleValue"}
"""OpenTelemetry's JSON wraps each value in an object that tells its type."""
_KILLED = {-9, 137}

Field = tuple[tuple[str, ...], Any]
"""A field's value with its names and those of the objects around it, in lower-case letters and digits alone."""


@dataclass(frozen=True, slots=True)
class Record:
    """A log line that is a JSON object.

    One that was too long to be kept whole has no fields here, and is never held against the service.
    """

    line: Log
    fields: dict[str, Any]
    walked: tuple[Field, ...] = field(repr=False, compare=False)

    @property
    def has_message(self) -> bool:
        return any(str(value) != "" for _, value in self._named(_MESSAGE) if value is not None)

    @property
    def severity(self) -> int | None:
        """The level on the scale of Python's logging; None where there is none that can be read."""
        return self._severity(pino=False)

    @property
    def severity_as_pino(self) -> int | None:
        """The level, with numbers as pino and bunyan have them where the record looks like theirs."""
        return self._severity(pino={path[0] for path, _ in self.walked if len(path) == 1} >= _PINO)

    @property
    def timestamp(self) -> str | None:
        """The first timestamp that can be read, as it stands there."""
        return next((str(value) for _, value in self._named(_TIME) if is_timestamp(value)), None)

    @property
    def ids(self) -> frozenset[str]:
        """The values of all fields that may hold a request's id."""
        return frozenset(
            str(value).rpartition("/")[2] if path[-1] == _GOOGLE_TRACE else str(value)
            for path, value in self.walked
            if isinstance(value, str | int) and _is_id(path)
        )

    @property
    def names(self) -> Iterator[str]:
        """The names of all fields, at any depth, as they stand there."""
        return _names(self.fields)

    def carries(self, request_id: str) -> bool:
        return request_id in self.ids or (self.line.cut and request_id in self.line.text)

    def _named(self, names: set[str]) -> Iterator[tuple[str, Any]]:
        for path, value in self.walked:
            if path[-1] in names:
                yield path[-1], value
            elif (joined := "".join(path[-2:])) in names:
                yield joined, value

    def _severity(self, *, pino: bool) -> int | None:
        found = list(self._named(_LEVEL))
        words = (severity.of_word(value) for _, value in found)
        numbers = (severity.of_number(value, name, pino=pino) for name, value in found)
        return next((level for level in (*words, *numbers) if level is not None), None)


def written(history: History) -> list[Log]:
    """Return the lines that the service wrote from its start on until the lab killed it, without blank ones.

    Lines are stamped when they are read, and those of the start may be read a moment after Ready; once the first
    request after it has been answered they cannot.
    """
    own = history.instance().events
    ready = next((position for position, event in enumerate(own) if isinstance(event, Ready)), len(own))
    sent: set[int] = set()
    lines: list[Log] = []
    started = False
    for event in own[ready:]:
        match event:
            case Request():
                sent.add(event.request)
            case Answer():
                started = started or event.request in sent
            case Signalled(signal="SIGKILL"):
                break
            case Exited() if event.cause or event.code in _KILLED:
                return _without_torn(lines)
            case Log() if started and event.text.strip():
                lines.append(event)
    return lines


def parse(line: Log) -> Record | None:
    """Return the record that a line is; None where it is no JSON object."""
    if line.cut:
        return Record(line, {}, ()) if line.text.lstrip().startswith("{") else None
    try:
        fields = json.loads(line.text)
    except (ValueError, RecursionError):
        return None
    return Record(line, fields, tuple(_walk(fields))) if isinstance(fields, dict) else None


_records: WeakKeyDictionary[History, list[Record]] = WeakKeyDictionary()


def records(history: History) -> list[Record]:
    """Return the records among what the service wrote from its start on."""
    if history not in _records:
        _records[history] = [record for line in written(history) if (record := parse(line))]
    return _records[history]


def _without_torn(lines: list[Log]) -> list[Log]:
    """Return lines without those that a killed program may not have written to their ends."""
    last = {line.stream: line for line in lines}
    return [line for line in lines if line is not last[line.stream] or parse(line)]


def _walk(fields: dict[str, Any]) -> Iterator[Field]:
    """Yield all fields, those of outer objects first."""
    level: list[tuple[tuple[str, ...], Any]] = [((), fields)]
    seen = 0
    for _ in range(DEPTH):
        deeper = []
        for around, container in level:
            for name, value in _members(container):
                seen += 1
                if seen > MOST_FIELDS:
                    return
                path = (*around, _plain(name))
                yield path, value
                if isinstance(value, dict | list):
                    deeper.append((path, value))
        level = deeper


@functools.lru_cache(maxsize=4096)
def _plain(name: str) -> str:
    return "".join(char for char in name.lower() if char.isalnum())


def _members(container: Any) -> Iterator[tuple[str, Any]]:
    """Yield the fields of an object, or those of the objects in a list: {key, value} is a field, too."""
    for one in container if isinstance(container, list) else [container]:
        if not isinstance(one, dict):
            continue
        if one.keys() == {"key", "value"} and isinstance(one["key"], str):
            yield one["key"], _unwrapped(one["value"])
        else:
            yield from ((name, _unwrapped(value)) for name, value in one.items())


def _unwrapped(value: Any) -> Any:
    if isinstance(value, dict) and len(value) == 1 and value.keys() <= _WRAPPED:
        return next(iter(value.values()))
    return value


def _is_id(path: tuple[str, ...]) -> bool:
    return path[-1] == _GOOGLE_TRACE or path[-1].endswith(_ID) or "".join(path[-2:]).endswith(_ID)


def _names(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
        for inner in value.values():
            yield from _names(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _names(inner)
