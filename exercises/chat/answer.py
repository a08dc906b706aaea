"""Reads the answers of a chat endpoint, by any of the names that the pages allow."""

import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chaos.history import Answer, Failure, UpstreamCall

_COSTS = ("cost_usd", "cost", "estimated_cost")
_ABSENT = object()


@dataclass(frozen=True, slots=True)
class Chat:
    """The JSON object that a chat endpoint answered."""

    fields: dict[str, Any]

    @property
    def content(self) -> str:
        return str(self.fields.get("content", ""))

    @property
    def model(self) -> str:
        return str(self.fields.get("model", ""))

    def names(self, model: str) -> bool:
        """Whether the answer says that this model gave it, perhaps with its provider before it."""
        return self.model.rpartition("/")[2] == model

    @property
    def usage(self) -> tuple[Any, Any, Any]:
        """Input, output and total tokens; None for what is not there."""
        found = self.fields.get("usage")
        usage = found if isinstance(found, dict) else {}
        return (
            usage.get("input_tokens", usage.get("prompt_tokens")),
            usage.get("output_tokens", usage.get("completion_tokens")),
            usage.get("total_tokens"),
        )

    @property
    def has_cost(self) -> bool:
        return self._cost is not _ABSENT

    @property
    def cost(self) -> float | None:
        """The cost in US dollars; None where it is null, is no number or is not there."""
        value = self._cost
        if isinstance(value, str):
            try:
                return float(value)
            except ValueError:
                return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        with contextlib.suppress(OverflowError):
            return float(value)
        return None

    @property
    def _cost(self) -> Any:
        usage = self.fields.get("usage")
        for place in (self.fields, usage if isinstance(usage, dict) else {}):
            for name in _COSTS:
                if name in place:
                    return place[name]
        return _ABSENT


def read(end: Answer | Failure | None) -> Chat | None:
    """Return what a chat endpoint answered with 200; None for anything else."""
    if not isinstance(end, Answer) or end.status != 200:
        return None
    body = json_object(end)
    return Chat(body) if body is not None else None


def answering(made: Sequence[UpstreamCall]) -> UpstreamCall | None:
    """Return the last of the calls for a prompt that was answered with a completion."""
    answered = [call for call in made if call.reply and call.reply.usage]
    return answered[-1] if answered else None


def json_object(end: Answer) -> dict[str, Any] | None:
    """Return the JSON object in an answer; None where its body is none."""
    try:
        body = json.loads(end.body)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def near(value: float | None, expected: float, *, share: float = 0.01) -> bool:
    """Whether a number is right to a share of what it should be, or to half of the last digit of six after the point.

    A cost may be rounded: one of less than a cent to a millionth of a dollar.
    """
    return value is not None and abs(value - expected) <= max(share * expected, 6e-7)
