"""Reads what GET /v1/usage answers."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from chaos.history import Answer, Failure, UpstreamCall
from lab.reading import as_json, excerpt, outcome

SUMS = ("total", "totals")
"""What the object with the sums may be called; without it, they stand in the report itself."""
TOKENS = ("prompt_tokens", "completion_tokens")


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
    sums = _sums(report_of(end))
    prompt, completion = number(sums.get("prompt_tokens")), number(sums.get("completion_tokens"))
    if prompt is None or completion is None:
        return None
    return Usage(number(sums.get("requests")) or 0.0, prompt, completion)


def cost_of(end: Answer | Failure | None) -> float | None:
    """Return the cost in the sums of a usage report, in US dollars; None if an answer holds none."""
    return number(_sums(report_of(end)).get("cost"))


def unread(end: Answer | Failure | None, *names: str) -> str:
    """Say why the sums of these names cannot be read from a usage report; an empty string if they can."""
    report = report_of(end)
    return not_numbers(_sums(report), names) if report else outcome(end)


def not_numbers(fields: Mapping[str, Any], names: Iterable[str]) -> str:
    """Name the first field that is missing or is not a number; an empty string if all are numbers."""
    for name in names:
        if name not in fields:
            return f"{name} is missing"
        if number(fields[name]) is None:
            return f"{name} is {excerpt(json.dumps(fields[name]), 40)}, which is not a number"
    return ""


def report_of(end: Answer | Failure | None) -> dict[str, Any]:
    """Return the usage report in an answer; empty if it holds none."""
    report = as_json(end.body) if isinstance(end, Answer) and end.status == 200 else None
    return report if isinstance(report, dict) else {}


def _sums(report: dict[str, Any]) -> dict[str, Any]:
    return next((report[name] for name in SUMS if isinstance(report.get(name), dict)), report)


def tokens_used(end: Answer | Failure | None) -> tuple[int, int] | None:
    """Return the prompt and completion tokens of a usage report; None if an answer holds none."""
    usage = usage_of(end)
    return (int(usage.prompt_tokens), int(usage.completion_tokens)) if usage else None


def number(value: object) -> float | None:
    """Return a finite number in JSON; None for anything else."""
    legible = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if legible and isinstance(value, int | float) else None


def tokens_reported(calls: Iterable[UpstreamCall]) -> int:
    """Return the tokens that the backend reported in calls."""
    return sum(sum(call.reply.usage) for call in calls if call.reply and call.reply.usage)
