"""Which row of a course tool's export is which student of the roster."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from grading.classroom.gradebooks.names import comparable, comparable_name
from grading.classroom.grades import Grade
from lab.reading import excerpt

MOST_NAMED = 10
"""Students that a remark names."""

Row = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Matching:
    """Rows with their grades, in the order of the export.

    `strangers` are rows of nobody, `missing` students without a row. `shared` are the ids, e-mail addresses and names
    that could not match these, because several rows or students have them.
    """

    pairs: tuple[tuple[Row, Grade], ...]
    strangers: tuple[str, ...]
    missing: tuple[str, ...]
    shared: tuple[str, ...]

    def remarks(self, tool: str) -> list[str]:
        """Say who is in one of the two lists only, and what more than one has."""
        found = []
        if self.strangers:
            found.append(
                f"{tool}'s export has students who are not in the roster: {_listed(self.strangers)}."
            )
        if self.missing:
            found.append(f"The roster has students who are not in {tool}'s export: {_listed(self.missing)}.")
        if self.shared:
            found.append(f"More than one student has these, so they match nobody: {_listed(self.shared)}.")
        return found


def match(rows: Sequence[Row], grades: Sequence[Grade], ids: Sequence[str], name: str) -> Matching:
    """Match rows with students: by the roster's ids in each of the columns `ids`, then by e-mail addresses, then by names.

    The whole export is searched for one kind of key before the next, so that a weaker one takes no row from a stronger
    one. A key that several rows or several students have matches nobody.
    """
    matched: dict[int, int] = {}
    shared: dict[str, list[int]] = {}
    for row_keys, grade_keys in _passes(rows, grades, ids, name):
        owners = _places(grade_keys)
        for key, places in _places(row_keys).items():
            if len(places) == len(owners.get(key, [])) == 1:
                [place], [owner] = places, owners[key]
                if place not in matched and owner not in matched.values():
                    matched[place] = owner
            elif key in owners:
                shared[key] = places
    return Matching(
        pairs=tuple((rows[place], grades[matched[place]]) for place in sorted(matched)),
        strangers=tuple(_told(row, ids, name) for place, row in enumerate(rows) if place not in matched),
        missing=tuple(one.student.id for owner, one in enumerate(grades) if owner not in matched.values()),
        shared=tuple(key for key, places in shared.items() if not matched.keys() >= set(places)),
    )


def _passes(
    rows: Sequence[Row], grades: Sequence[Grade], ids: Sequence[str], name: str
) -> Iterator[tuple[list[str], list[str]]]:
    """Yield the keys of all rows and of all students that are to be compared, the surest first."""
    keys: list[Callable[[Grade], str]] = [lambda one: one.student.id, lambda one: one.student.email]
    for key in keys:
        for column in ids:
            yield [comparable(row.get(column, "")) for row in rows], [comparable(key(one)) for one in grades]
    yield (
        [comparable_name(row.get(name, "")) for row in rows],
        [comparable_name(one.student.name) for one in grades],
    )


def _places(keys: Sequence[str]) -> dict[str, list[int]]:
    """Return where each key stands; an empty one is none."""
    places: dict[str, list[int]] = {}
    for place, key in enumerate(keys):
        if key:
            places.setdefault(key, []).append(place)
    return places


def _told(row: Row, ids: Sequence[str], name: str) -> str:
    named = next(
        (cell for column in (*ids, name) if (cell := row.get(column, "").strip())), "a row without a name"
    )
    return excerpt(named, 40)


def _listed(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
