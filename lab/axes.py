"""The axes of a promise: where it holds, against what, how often, when, in which order, and who sees it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from chaos.history import History, Tried

Value_co = TypeVar("Value_co", covariant=True)


@dataclass(frozen=True)
class Axis(Generic[Value_co]):
    """One direction in which a promise reaches. Experiments try each of its `values` in every run.

    `name` is a plural that reads well behind a number: `endpoints`, `kinds of failure`. The keys of `values` name them
    in histories, and what stands under a key is what an experiment needs to try it.
    """

    name: str
    values: Mapping[str, Value_co]


Axes = Mapping[str, tuple[Axis[object], ...]]
"""The axes of each criterion of an exercise, by its name: `AXES` in the exercise's module `axes`."""


def plain(name: str, values: Iterable[str]) -> Axis[str]:
    """Return an axis whose values are their own names."""
    return Axis(name, {value: value for value in values})


def missed(axes: Iterable[Axis[object]], histories: Iterable[History]) -> dict[str, set[str]]:
    """Return the values of each axis that none of these histories tried."""
    tried = _tried(histories)
    return {axis.name: left for axis in axes if (left := set(axis.values) - tried.get(axis.name, set()))}


def tally(axes: Iterable[Axis[object]], histories: Iterable[History]) -> str:
    """Say how many values were tried: `7 endpoints, 1 of 5 kinds of failure`. Empty if none was.

    Axes of one value say nothing.
    """
    tried = _tried(histories)
    shares = ((axis, len(set(axis.values) & tried.get(axis.name, set()))) for axis in axes)
    said = (_share(count, axis) for axis, count in shares if count and len(axis.values) > 1)
    return ", ".join(dict.fromkeys(said))


def _share(count: int, axis: Axis[object]) -> str:
    whole = len(axis.values)
    return f"{count} {axis.name}" if count == whole else f"{count} of {whole} {axis.name}"


def _tried(histories: Iterable[History]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for history in histories:
        for event in history.of(Tried):
            found.setdefault(event.axis, set()).add(event.value)
    return found
