"""docs/CALIBRATION.md: what the calibration has shown, failures and what was not run included."""

from collections.abc import Sequence

from exercises.exercise import Exercise
from grading.calibrate.corpus import Case
from grading.calibrate.outcome import Journal

DOCUMENT = "docs/CALIBRATION.md"


def document(corpus: Sequence[Case], journal: Journal, exercises: Sequence[Exercise]) -> str:
    raise NotImplementedError
