"""Reads the timestamps of error bodies: ISO 8601, the date of HTTP and mail, and the time since 1970."""

import contextlib
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from lab.epoch import seconds_since_1970

QUARTER = 900.0
"""Zones differ by quarters of an hour."""

_FRACTION = re.compile(r"([.,]\d{6})\d+")
_UTC = re.compile(r"\s*(?:UTC|GMT)$|\s+(?=[+-]\d{2}:?\d{2}$)", re.IGNORECASE)


def seconds_of(value: Any) -> tuple[float, bool] | None:
    """Return the seconds since 1970 of a timestamp, and whether it has a zone; None where it cannot be read."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        seconds = seconds_since_1970(value)
        return None if seconds is None else (seconds, True)
    return _seconds_of_text(value.strip()) if isinstance(value, str) else None


def is_between(value: Any, earliest: float, latest: float) -> bool:
    """Whether a timestamp is of a moment between two others, in seconds since 1970; one without a zone is of any zone."""
    read = seconds_of(value)
    if read is None:
        return False
    seconds, has_zone = read
    if not has_zone:
        seconds += round((latest - seconds) / QUARTER) * QUARTER
    return earliest <= seconds <= latest


def _seconds_of_text(text: str) -> tuple[float, bool] | None:
    with contextlib.suppress(ValueError):
        return seconds_of(float(text))
    for read in (_iso, parsedate_to_datetime):
        with contextlib.suppress(ValueError, TypeError, IndexError, OverflowError):
            moment = read(text)
            return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp(), moment.tzinfo is not None
    return None


def _iso(text: str) -> datetime:
    """Read ISO 8601 with more than Python does: any number of decimals, and a zone behind a blank or by its name."""
    text = _FRACTION.sub(r"\1", text.upper())
    named = _UTC.search(text)
    if named:
        text = text[: named.start()] + (text[named.end() :] or "Z")
    return datetime.fromisoformat(text)
