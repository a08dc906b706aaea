"""Which row of a course tool's export is which student of the roster."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from grading.classroom.grades import Grade
from lab.reading import excerpt

T = TypeVar("T")

MOST_NAMED = 10
"""Students that a remark names."""


@dataclass(frozen=True, slots=True)
class Matching:
    """Rows with their grades, in the order of the export; `strangers` are rows of nobody, `missing` students without one."""

    pairs: tuple[tuple[Mapping[str, str], Grade], ...]
    strangers: tuple[str, ...]
    missing: tuple[str, ...]

    def remarks(self, tool: str) -> list[str]:
        """Say who is in one of the two lists only."""
        found = []
        if self.strangers:
            found.append(
                f"{tool}'s export has students who are not in the roster: {_listed(self.strangers)}."
            )
        if self.missing:
            found.append(f"The roster has students who are not in {tool}'s export: {_listed(self.missing)}.")
        return found


def match(
    rows: Sequence[Mapping[str, str]], grades: Sequence[Grade], ids: Sequence[str], name: str
) -> Matching:
    """Match rows with students: by the columns `ids`, one after the other, or else by a name that only one has.

    A cell of these columns may hold the roster's id or e-mail address.
    """
    keys: list[Callable[[Grade], str]] = [lambda one: one.student.id, lambda one: one.student.email]
    by_id = {key(one).casefold(): one for key in keys for one in grades if key(one)}
    names = _unique([one.student.name.casefold() for one in grades], list(grades))
    row_names = _unique([row.get(name, "").strip().casefold() for row in rows], list(range(len(rows))))
    pairs, strangers = [], []
    taken: set[str] = set()
    for place, row in enumerate(rows):
        cells = [row.get(column, "").strip().casefold() for column in ids]
        found = next((by_id[cell] for cell in cells if cell in by_id), None)
        own_name = row.get(name, "").strip().casefold()
        if found is None and row_names.get(own_name) == place:
            found = names.get(own_name)
        if found is None or found.student.id in taken:
            strangers.append(_told(row, ids, name))
        else:
            taken.add(found.student.id)
            pairs.append((row, found))
    missing = tuple(one.student.id for one in grades if one.student.id not in taken)
    return Matching(tuple(pairs), tuple(strangers), missing)


def _unique(keys: Sequence[str], values: Sequence[T]) -> dict[str, T]:
    counts = Counter(keys)
    return {key: value for key, value in zip(keys, values, strict=True) if counts[key] == 1}


def _told(row: Mapping[str, str], ids: Sequence[str], name: str) -> str:
    named = next(
        (cell for column in (*ids, name) if (cell := row.get(column, "").strip())), "a row without a name"
    )
    return excerpt(named, 40)


def _listed(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
