"""Durations and rates as people write them: `500ms`, `5s`, `1m`, `2/s`."""

import re

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
LONGEST = 24 * 3600.0

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)", re.ASCII)
_RATE = re.compile(r"(\d+(?:\.\d+)?)/(s|m|h)", re.ASCII)


def duration(text: str) -> float:
    """Return the seconds that `text` says; raises ValueError with a sentence for whoever wrote it."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError(
            f"'{text}' is not a duration: write a number and ms, s, m or h, for instance 500ms, 5s or 1m."
        )
    seconds = float(found[1]) * UNITS[found[2]]
    if not 0.001 <= seconds <= LONGEST:
        raise ValueError(f"'{text}' is not between 1ms and 24h.")
    return seconds


def rate(text: str) -> float:
    """Return how often a second `text` says; raises ValueError with a sentence for whoever wrote it."""
    found = _RATE.fullmatch(text)
    if found is None:
        raise ValueError(f"'{text}' is no rate: write a number and /s, /m or /h, for instance 2/s or 30/m.")
    per_second = float(found[1]) / UNITS[found[2]]
    if not 0 < per_second <= 100:
        raise ValueError(f"'{text}' is not between 0 and 100/s.")
    return per_second


def spoken(seconds: float) -> str:
    """Return a duration as a person would say it: `500 ms`, `5 s`, `1 min 30 s`."""
    if 0 < seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"
