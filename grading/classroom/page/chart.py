"""The bars of a histogram, ready to be drawn."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from grading.classroom.statistics import Bin

WIDTH: Final = 480
HEIGHT: Final = 150
"""Pixels of a drawing without the labels below it."""
GAP: Final = 3
MARGIN: Final = 14
"""Pixels at both sides, for the halves of the outer labels."""
ABOVE: Final = 18
"""Pixels for the number above the highest bar."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar in pixels from the upper left; `label` and `end` are the limits of its bin."""

    x: float
    y: float
    width: float
    height: float
    count: int
    label: str
    end: str
    text: str


def bars(bins: Sequence[Bin]) -> tuple[Bar, ...]:
    """Lay a histogram out: the highest bar takes the whole height."""
    most = max((one.count for one in bins), default=0) or 1
    step = WIDTH / max(1, len(bins))
    return tuple(_bar(one, number * step, step - GAP, most) for number, one in enumerate(bins))


def _bar(one: Bin, x: float, width: float, most: int) -> Bar:
    height = round((HEIGHT - ABOVE) * one.count / most, 1)
    students = "1 student" if one.count == 1 else f"{one.count} students"
    return Bar(
        x=round(x, 1),
        y=round(HEIGHT - height, 1),
        width=round(width, 1),
        height=height,
        count=one.count,
        label=f"{one.low:g}",
        end=f"{one.high:g}",
        text=f"{one.low:g} to {one.high:g}: {students}",
    )
