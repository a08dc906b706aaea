"""Reads what the official client returned, and the JSON in bodies, for checks."""

from collections.abc import Sequence
from typing import Any

from chaos.history import ClientResult, Exchange, History
from lab.reading import as_json, excerpt, outcome


def result_of(history: History, exchange: Exchange) -> ClientResult | None:
    """Return what the official client made of an answer."""
    number = exchange.request.request
    return next((one for one in history.of(ClientResult) if one.request == number), None)


def returned(history: History, exchange: Exchange) -> Any:
    """Return what the official client returned, as JSON has it; None if it raised something."""
    result = result_of(history, exchange)
    return as_json(result.returned) if result and result.returned else None


def trouble(history: History, exchange: Exchange) -> str:
    """Say what the official client met instead of a result."""
    result = result_of(history, exchange)
    raised = f", and the client raised {excerpt(result.raised, 40)}" if result and result.raised else ""
    return f"{outcome(exchange.end)}{raised}"


def at(value: Any, *path: str | int) -> Any:
    """Return what stands in a JSON value at a path of names and positions; None where nothing does."""
    for step in path:
        if isinstance(step, str):
            value = value.get(step) if isinstance(value, dict) else None
        else:
            value = value[step] if isinstance(value, list) and -len(value) <= step < len(value) else None
    return value


def text_of(chunks: Sequence[Any]) -> str:
    """Return the joined text of a stream's chunks."""
    texts = (at(chunk, "choices", 0, "delta", "content") for chunk in chunks)
    return "".join(text for text in texts if isinstance(text, str))
