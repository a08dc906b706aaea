"""Reads from a readiness report which dependencies it calls healthy, whatever its layout.

A flag is found by its name: a key that contains the dependency's (`qdrant`, `litellm_status`), at any depth, or an
entry of a list with such a name. Its value is a boolean, a word, or an object that holds one of these.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from chaos.history import Upstream

_FIELDS = (
    *("healthy", "is_healthy", "ok", "up", "is_up", "available", "connected", "reachable", "alive", "ready"),
    *("success", "status", "state", "health", "result"),
)
_UP = re.compile(
    r"(healthy|ok(ay)?|up|pass(ed|ing)?|connected|reachable|available|alive|ready|success(ful)?|running|online"
    r"|operational|serving|green|good|true|yes)\b",
    re.IGNORECASE,
)
_DOWN = re.compile(
    r"(un(healthy|reachable|available)|down|fail(ed|ing|ure)?|err(or)?|disconnected|offline|time(d)?[ _-]?out|dead"
    r"|degraded|critical|refused|red|bad|false|not?[ _-]\w+|no)\b",
    re.IGNORECASE,
)
_ENTRY_NAMES = ("name", "service", "component", "dependency", "check", "id")
# What may stand beside a dependency's name in the name of its flag; in other company it names something else.
_BESIDE = {
    *(re.sub(r"\W|_", "", field) for field in _FIELDS),
    *("proxy", "gateway", "service", "server", "api", "db"),
}
_DEPTH = 6


def flags(body: str, names: Mapping[Upstream, tuple[str, ...]]) -> dict[Upstream, bool | None]:
    """Return whether a report calls each dependency healthy; None where it does not say, or not legibly.

    `names` are those under which each dependency may stand in it, the likeliest first.
    """
    try:
        report = json.loads(body)
    except (ValueError, RecursionError):
        report = None
    entries = list(_entries(report))
    return {upstream: _flag(entries, known) for upstream, known in names.items()}


def _flag(entries: list[tuple[str, Any]], names: tuple[str, ...]) -> bool | None:
    """Return the flag with the plainest name; the outermost of these."""
    candidates = [
        (plainness, healthy)
        for key, value in entries
        if (plainness := _plainness(key, names)) is not None and (healthy := _healthy(value)) is not None
    ]
    return min(candidates, key=lambda candidate: candidate[0])[1] if candidates else None


def _plainness(key: str, names: tuple[str, ...]) -> tuple[int, int] | None:
    for preference, name in enumerate(names):
        if name in key.lower():
            rest = re.sub(r"\W|_", "", key.lower().replace(name, "", 1))
            return (0 if not rest else 1 if rest in _BESIDE else 2), preference
    return None


def _healthy(value: Any) -> bool | None:
    match value:
        case bool():
            return value
        case int() if 100 <= value < 600:
            return 200 <= value < 300
        case str() if _DOWN.match(value.strip()):
            return False
        case str() if _UP.match(value.strip()):
            return True
        case dict():
            fields = {str(name).lower(): one for name, one in value.items()}
            told = (
                _healthy(fields[name]) for name in _FIELDS if isinstance(fields.get(name), bool | int | str)
            )
            return next((healthy for healthy in told if healthy is not None), None)
        case _:
            return None


def _entries(value: Any, depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Yield everything that has a name, the outer before the inner."""
    if depth > _DEPTH:
        return
    inner: list[Any] = []
    if isinstance(value, dict):
        yield from value.items()
        inner = list(value.values())
    elif isinstance(value, list):
        for entry in value:
            if isinstance(entry, dict):
                yield from ((str(entry[name]), entry) for name in _ENTRY_NAMES if name in entry)
        inner = value
    for one in inner:
        yield from _entries(one, depth + 1)
