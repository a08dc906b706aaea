"""Reads the level of a log record, in the words and numbers that loggers use, on the scale of Python's logging."""

from typing import Any

WARNING = 30

_WORDS = {
    "trace": 5, "verbose": 5, "debug": 10, "dbg": 10, "info": 20, "inf": 20, "information": 20, "informational": 20,
    "notice": 20, "success": 20, "default": 20, "warn": WARNING, "warning": WARNING, "wrn": WARNING,
    "err": 40, "error": 40, "exception": 40, "severe": 40, "crit": 50, "critical": 50, "fatal": 50, "ftl": 50,
    "alert": 50, "emerg": 50, "emergency": 50, "panic": 50, "dpanic": 50,
    "t": 5, "d": 10, "i": 20, "n": 20, "w": WARNING, "e": 40, "c": 50, "f": 50,
}  # fmt: skip
_SYSLOG = (50, 50, 50, 40, WARNING, 20, 20, 10)
_GOOGLE = {100: 10, 200: 20, 300: 20, 400: WARNING, 500: 40, 600: 50, 700: 50, 800: 50}
_OPENTELEMETRY = (5, 10, 20, WARNING, 40, 50)
"""OpenTelemetry gives four numbers to each of its levels: 1 to 4 are TRACE, 21 to 24 FATAL."""
_PINO = {10: 5, 20: 10, 30: 20, 40: WARNING, 50: 40, 60: 50}
OPENTELEMETRY_NUMBER = "severitynumber"


def of_word(value: Any) -> int | None:
    """Return the level that a word names; None for anything else."""
    if isinstance(value, dict):
        return of_word(value.get("name"))
    word = value.strip().lower() if isinstance(value, str) else ""
    # OpenTelemetry has INFO2, INFO3 and INFO4 too.
    return _WORDS.get(word) or _WORDS.get(word.rstrip("234"))


_LARGEST = 10**6
"""No scale of levels goes that far; infinity and what is no number are beyond it, too."""


def of_number(value: Any, name: str, *, pino: bool = False) -> int | None:
    """Return the level that a number stands for in a field of this name; None for what is no number.

    Numbers up to 7 are syslog's, hundreds Google's, others Python's, or with `pino` those of pino and bunyan.
    """
    if isinstance(value, dict):
        return of_number(value.get("no"), name, pino=pino)
    number = int(value) if isinstance(value, str) and value.strip().isdecimal() else value
    if isinstance(number, bool) or not isinstance(number, int | float) or not -_LARGEST < number < _LARGEST:
        return None
    if name == OPENTELEMETRY_NUMBER:
        return _OPENTELEMETRY[(int(number) - 1) // 4] if 1 <= number <= 24 else None
    if 0 <= number < len(_SYSLOG):
        return _SYSLOG[int(number)]
    scale = _GOOGLE | _PINO if pino else _GOOGLE
    return scale.get(int(number), int(number))
