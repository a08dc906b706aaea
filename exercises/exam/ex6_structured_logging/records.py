"""Reads what a service wrote as log records: the fields that the exam asks for, under the names that it allows."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chaos.history import Answer, History, Log, Ready, Request, Signalled

WARNING = 30
DEPTH = 3
"""Fields are looked for at the top and in objects inside of it: `extra`, `context`, `log`, `record.extra`."""

_MESSAGE = {"message", "msg", "event"}
_LEVEL = {"level", "severity", "loglevel", "levelname"}
_TIME = {"timestamp", "ts", "time", "asctime"}
_ID = ("requestid", "correlationid", "traceid")
_SEVERITIES = {
    "trace": 5, "debug": 10, "info": 20, "information": 20, "informational": 20, "notice": 20, "success": 20,
    "warn": WARNING, "warning": WARNING, "err": 40, "error": 40, "exception": 40,
    "crit": 50, "critical": 50, "fatal": 50, "alert": 50, "emerg": 50, "emergency": 50, "panic": 50,
}  # fmt: skip
_SYSLOG = (50, 50, 50, 40, WARNING, 20, 20, 10)
_EPOCH = (1e9, 1e10)
"""Seconds since 1970 between 2001 and 2286."""


@dataclass(frozen=True, slots=True)
class Record:
    """A log line that is a JSON object.

    One that was too long to be kept whole has no fields here, and is never held against the service.
    """

    line: Log
    fields: dict[str, Any]

    @property
    def has_message(self) -> bool:
        return any(value not in {None, ""} for value in _scalars(_values(self.fields, _MESSAGE)))

    @property
    def severity(self) -> int | None:
        """The level on the scale of Python's logging; None where there is none that can be read."""
        found = (_severity(value) for value in _values(self.fields, _LEVEL))
        return next((level for level in found if level is not None), None)

    @property
    def has_timestamp(self) -> bool:
        return any(_is_timestamp(value) for value in _values(self.fields, _TIME))

    @property
    def ids(self) -> frozenset[str]:
        """The values of all fields that may hold a request's id."""
        return frozenset(
            str(value)
            for name, value in _walk(self.fields)
            if name.endswith(_ID) and isinstance(value, str | int)
        )

    @property
    def names(self) -> Iterator[str]:
        """The names of all fields, at any depth, as they stand there."""
        return _names(self.fields)

    @property
    def tells_success(self) -> bool:
        """Whether a field holds the status 200."""
        return any(
            str(value) == "200"
            for name, value in _walk(self.fields)
            if name in {"status", "statuscode", "httpstatus"}
        )

    def carries(self, request_id: str) -> bool:
        return request_id in self.ids or (self.line.cut and request_id in self.line.text)


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
            case Log() if started and event.text.strip():
                lines.append(event)
    return lines


def parse(line: Log) -> Record | None:
    """Return the record that a line is; None where it is no JSON object."""
    if line.cut:
        return Record(line, {}) if line.text.lstrip().startswith("{") else None
    try:
        fields = json.loads(line.text)
    except (ValueError, RecursionError):
        return None
    return Record(line, fields) if isinstance(fields, dict) else None


def records(history: History) -> list[Record]:
    """Return the records among what the service wrote from its start on."""
    return [record for line in written(history) if (record := parse(line))]


def _walk(fields: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield fields with their names in lower-case letters and digits alone, those of outer objects first."""
    level = [fields]
    for _ in range(DEPTH):
        for one in level:
            for name, value in one.items():
                yield "".join(char for char in name.lower() if char.isalnum()), value
        level = [value for one in level for value in one.values() if isinstance(value, dict)]


def _values(fields: dict[str, Any], names: set[str]) -> Iterator[Any]:
    return (value for name, value in _walk(fields) if name in names)


def _scalars(values: Iterator[Any]) -> Iterator[Any]:
    """Yield values, objects and lists as text: a message may be one."""
    return (str(value) if isinstance(value, dict | list) else value for value in values)


def _names(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
        for inner in value.values():
            yield from _names(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _names(inner)


def _severity(value: Any) -> int | None:
    match value:
        case bool() | None:
            return None
        case dict():
            return _severity(value.get("name"))
        case int() | float():
            return _SYSLOG[int(value)] if 0 <= value < len(_SYSLOG) else int(value)
        case str() if value.strip().isdecimal():
            return _severity(int(value))
        case str():
            return _SEVERITIES.get(value.strip().lower())
    return None


def _is_timestamp(value: Any) -> bool:
    match value:
        case bool() | None:
            return False
        case dict():
            return any(map(_is_timestamp, value.values()))
        case int() | float():
            return any(low <= value / unit < high for unit in (1, 1e3, 1e6, 1e9) for low, high in [_EPOCH])
    try:
        datetime.fromisoformat(str(value).strip())
    except ValueError:
        return _is_number(str(value)) and _is_timestamp(float(value))
    return True


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
