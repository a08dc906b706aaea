"""What one store bears: its local engine is made for a few points, and works in the lab's only thread."""

from collections.abc import Mapping
from typing import Final

MOST_AT_ONCE: Final = 1_000
"""Points in one request."""
MOST_POINTS: Final = 5_000
MOST_NUMBERS: Final = 8_000_000
"""Of all vectors that are kept: 32 MB."""
MOST_BYTES: Final = 64 * 2**20
"""Of all bodies whose points are kept."""
MOST_PARTS: Final = 20_000
"""Objects and lists in one body: to read one takes up to ten microseconds."""
MOST_DIMENSIONS: Final = 65_536
"""As in Qdrant."""
MOST_COST: Final = 100_000
"""Of one request, in units of some 2.5 microseconds: a quarter of a second."""
_RETURNED: Final = 4
_NUMBERS_RETURNED: Final = 16
_NUMBERS_COMPARED: Final = 256
"""How many numbers of a vector one unit returns or compares."""


def cost(asked: object, points: int, dimensions: int) -> int:
    """Return about what it costs to answer a request on so many points: for what it says of each, and for what it returns."""
    return points * _weight(asked) + _returned(asked, points, dimensions)


def _weight(value: object) -> int:
    """Return how many things a request says, a list of numbers for less."""
    match value:
        case {**fields}:
            return sum(map(_weight, fields.values()))
        case [int() | float(), *_]:
            return 1 + len(value) // _NUMBERS_COMPARED
        case [*_]:
            return sum(map(_weight, value))
        case _:
            return 1


def _returned(asked: object, points: int, dimensions: int) -> int:
    """Return what it costs to return points to a request, or to each of a batch."""
    match asked:
        case {"searches": [*searches]}:
            return sum(_returned(one, points, dimensions) for one in searches)
        case {**fields}:
            return _number_returned(fields, points) * (
                _RETURNED + (dimensions // _NUMBERS_RETURNED if fields.get("with_vector") else 0)
            )
        case _:
            return 0


def _number_returned(fields: Mapping[object, object], points: int) -> int:
    match fields:
        case {"ids": [*ids]}:
            return len(ids)
        case {"limit": int(limit)}:
            return min(max(limit, 0), points)
        case _:
            return 0
