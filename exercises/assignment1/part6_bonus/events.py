"""Reads the text in server-sent events."""

import json
from collections.abc import Sequence
from typing import Any

_FIELDS = ("content", "delta", "text", "token")


def text_of(found: Sequence[str]) -> str:
    """Return the joined text of events, wherever the page lets it stand."""
    return "".join(_text(event) for event in found)


def _text(event: str) -> str:
    try:
        data = json.loads(event)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(data, dict):
        return ""
    choices = data.get("choices")
    if isinstance(choices, list) and choices and isinstance(choices[0], dict):
        return _field(choices[0].get("delta"))
    return _field(data)


def _field(data: Any) -> str:
    if isinstance(data, str):
        return data
    if not isinstance(data, dict):
        return ""
    for name in _FIELDS:
        if isinstance(data.get(name), str):
            return str(data[name])
        if isinstance(data.get(name), dict):
            return _field(data[name])
    return ""
