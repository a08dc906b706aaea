"""Finds incidents in logs: the id of an error as a value of its own, in whatever form the lines are."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from chaos.history import History, Log

DISTINCT = 8
"""An id of so many characters is found wherever it stands as a word; a shorter one may stand there for something else."""
DEPTH = 8
"""How deep a record is looked into; what is below is one text."""

_NAMED = re.compile(r"incident[\w.-]*[\"']?\s*[:=]\s*[\"']?([\w.:-]+)", re.IGNORECASE)
_WORD = re.compile(r"[\w.:-]+")


class Incidents:
    """The ids that stand in the logs of one history."""

    def __init__(self, history: History) -> None:
        self._named: set[str] = set()
        self._words: set[str] = set()
        for log in history.of(Log):
            for name, text in _values(log.text):
                if "incident" in name.lower():
                    self._named.add(text)
                self._named.update(_NAMED.findall(text))
                self._words.update(_words(text))

    def __contains__(self, incident: str) -> bool:
        return incident in self._named or (len(incident) >= DISTINCT and incident in self._words)


def _values(line: str) -> Iterator[tuple[str, str]]:
    """Yield the fields of a log record by their names; a line that is no JSON is one value without a name."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        record = line
    yield from _flat("", record, DEPTH)


def _flat(name: str, value: Any, depth: int) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and depth:
        for inner, one in value.items():
            yield from _flat(f"{name}.{inner}", one, depth - 1)
    elif isinstance(value, list) and depth:
        for one in value:
            yield from _flat(name, one, depth - 1)
    else:
        yield name, str(value)


def _words(text: str) -> Iterable[str]:
    yield text
    for word in _WORD.findall(text):
        yield word
        yield word.strip(".:-")
