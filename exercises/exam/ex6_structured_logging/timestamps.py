"""Reads timestamps of log records: ISO 8601, the forms of HTTP, mail and access logs, and times since 1970."""

import contextlib
import re
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from lab.epoch import seconds_since_1970

_TIME_OF_DAY = re.compile(r"\d[T ]?\d{2}:?\d{2}", re.IGNORECASE)
_ZONE = re.compile(r"\s*(?:UTC|GMT|Z)$|\s+(?=[+-]\d{2}:?\d{2}$)", re.IGNORECASE)
_SLASHES = re.compile(r"^(\d{4})/(\d{2})/(\d{2})\b")
_LONGEST = 64


def is_timestamp(value: Any) -> bool:
    """Whether a value says a day and a time of day: as text, as a number, or in an object such as {seconds, nanos}."""
    match value:
        case bool() | None:
            return False
        case dict():
            return any(map(is_timestamp, value.values()))
        case int() | float():
            return seconds_since_1970(value) is not None
        case str() if len(value) <= _LONGEST:
            return _is_told(value.strip().strip("[]"))
    return False


def _is_told(text: str) -> bool:
    with contextlib.suppress(ValueError, OverflowError):
        return is_timestamp(float(text))
    text = _SLASHES.sub(r"\1-\2-\3", text)
    with contextlib.suppress(ValueError):
        datetime.fromisoformat(_with_plain_zone(text))
        return bool(_TIME_OF_DAY.search(text))
    with contextlib.suppress(ValueError):  # as access logs have it
        return datetime.strptime(text, "%d/%b/%Y:%H:%M:%S %z").tzinfo is not None
    with contextlib.suppress(ValueError, TypeError, IndexError):
        parsedate_to_datetime(text)
        return True
    return False


def _with_plain_zone(text: str) -> str:
    """Return a time whose zone is written as ISO 8601 has it: `Z` for UTC, and no blank before an offset."""
    found = _ZONE.search(text)
    if found is None:
        return text
    return text[: found.start()] + ("Z" if found.group().strip() else text[found.end() :])
