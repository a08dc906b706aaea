"""Rules over texts: a request that one objects to is refused; in an answer, what it finds is replaced."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from importlib import import_module

from api.services.errors import ContentRefusedError

Span = tuple[int, int]
Find = Callable[[str], Iterator[Span]]
"""Where a text has what a rule is about: pairs of start and end. It takes linear time, for texts are hostile."""


class RuleName(StrEnum):
    """Each is a module of this package."""

    SECRETS = "secrets"
    PERSONAL_DATA = "personal_data"


class ContentFilter:
    def __init__(self, rules: Mapping[str, Find]) -> None:
        self._rules = rules

    def check(self, text: str) -> None:
        """Raises ContentRefusedError for a text that has what a rule is about."""
        for name, find in self._rules.items():
            if next(find(text), None) is not None:
                raise ContentRefusedError(f"found {name}")

    def redact(self, text: str) -> str:
        """The text with everything replaced that a rule is about."""
        for name, find in self._rules.items():
            text = _replace(text, find(text), f"[{name} removed]")
        return text


def load_filter(names: Sequence[RuleName]) -> ContentFilter:
    """The filter of these rules, which are imported for it; without any, it lets everything pass."""
    return ContentFilter({name: import_module(f"{__package__}.{name}").find for name in names})


def parse_rules(value: object) -> object:
    """Names of rules, from JSON. Raises ValueError, which does not repeat the value."""
    if not isinstance(value, str):
        return value
    try:
        return [RuleName(name) for name in json.loads(value)]
    except (ValueError, TypeError, RecursionError):
        raise ValueError(f"must be a JSON list of {', '.join(RuleName)}") from None


def _replace(text: str, spans: Iterator[Span], replacement: str) -> str:
    parts, end = [], 0
    for start, stop in sorted(spans):
        if start >= end:
            parts += [text[end:start], replacement]
        end = max(end, stop)
    return "".join([*parts, text[end:]])
