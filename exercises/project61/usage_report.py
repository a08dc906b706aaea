"""Reads what GET /v1/usage answers."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from chaos.history import Answer, Failure, UpstreamCall
from lab.reading import as_json

SUMS = ("total", "totals")
"""What the object with the sums may be called; without it, they stand in the report itself."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a user has used, by a report."""

    requests: float
    prompt_tokens: float
    completion_tokens: float

    @property
    def tokens(self) -> float:
        return self.prompt_tokens + self.completion_tokens


def usage_of(end: Answer | Failure | None) -> Usage | None:
    """Return the sums of a usage report; None if an answer holds none."""
    if not isinstance(end, Answer) or end.status != 200:
        return None
    report = as_json(end.body)
    if not isinstance(report, dict):
        return None
    sums = next((report[name] for name in SUMS if isinstance(report.get(name), dict)), report)
    prompt, completion = _number(sums.get("prompt_tokens")), _number(sums.get("completion_tokens"))
    if prompt is None or completion is None:
        return None
    return Usage(_number(sums.get("requests")) or 0.0, prompt, completion)


def tokens_used(end: Answer | Failure | None) -> tuple[int, int] | None:
    """Return the prompt and completion tokens of a usage report; None if an answer holds none."""
    usage = usage_of(end)
    return (int(usage.prompt_tokens), int(usage.completion_tokens)) if usage else None


def _number(value: object) -> float | None:
    legible = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if legible and isinstance(value, int | float) else None


def tokens_reported(calls: Iterable[UpstreamCall]) -> int:
    """Return the tokens that the backend reported in calls."""
    return sum(sum(call.reply.usage) for call in calls if call.reply and call.reply.usage)
