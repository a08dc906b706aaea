"""What the grades of a class have in common: which criteria fail most, how points and times are spread."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from grading.classroom.grades import Grade

BINS: Final = 10
MOST_CRITERIA: Final = 15


@dataclass(frozen=True, slots=True)
class Bin:
    """A bar of a histogram: how many values are between two limits."""

    low: float
    high: float
    count: int


@dataclass(frozen=True, slots=True)
class Failing:
    """A criterion, and how many of the class fail it."""

    number: str
    title: str
    count: int


@dataclass(frozen=True, slots=True)
class Statistics:
    """Figures of those who have a grade; `failing` begins with the criterion that most of them fail."""

    graded: int
    mean: float
    median: float
    points: tuple[Bin, ...]
    seconds: tuple[Bin, ...]
    median_seconds: float
    failing: tuple[Failing, ...]


def statistics(grades: Iterable[Grade]) -> Statistics | None:
    """Return the figures of a class; None where nobody has a grade."""
    graded = [one for one in grades if one.points is not None and one.record and one.report]
    if not graded:
        return None
    points = [one.points or 0.0 for one in graded]
    seconds = [one.record.seconds for one in graded if one.record]
    top = max(one.max_points or 0.0 for one in graded)
    return Statistics(
        graded=len(graded),
        mean=round(sum(points) / len(points), 1),
        median=round(median(points), 1),
        points=histogram(points, max(top, *points)),
        seconds=histogram(seconds, max(seconds)),
        median_seconds=round(median(seconds), 1),
        failing=_failing(graded),
    )


def histogram(values: Sequence[float], top: float) -> tuple[Bin, ...]:
    """Count values between 0 and `top` in bins of equal width; a limit belongs to the bin above it, `top` to the last."""
    width = (top or 1.0) / BINS
    counts = Counter(min(BINS - 1, max(0, int(value / width))) for value in values)
    return tuple(
        Bin(round(number * width, 1), round((number + 1) * width, 1), counts[number])
        for number in range(BINS)
    )


def _failing(graded: Sequence[Grade]) -> tuple[Failing, ...]:
    titles: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for grade in graded:
        for exercise in grade.report.exercises if grade.report else ():
            for one in exercise.criteria:
                titles[one.number] = one.title
                counts[one.number] += one.status == "failed"
    return tuple(
        Failing(number, titles[number], count) for number, count in counts.most_common(MOST_CRITERIA) if count
    )
