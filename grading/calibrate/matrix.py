"""The matrix of cases and criteria as lines of text: one sign for each verdict."""

from collections.abc import Sequence

from grading.calibrate.corpus import Case
from grading.calibrate.outcome import Outcome
from grading.calibrate.tally import Sign, as_expected, sign
from lab.exercise import Exercise

SIGNS: dict[Sign, str] = {
    "passed": ".",
    "caught": "x",
    "open": "o",
    "missed": "M",
    "false alarm": "F",
    "undecided": "?",
    "not run": " ",
}
MEANINGS = (
    ". passed   x failed, as it must   o not judged, as it must   "
    "M missed   F false alarm   ? no verdict where there must be one   (blank) not run"
)
NAME_WIDTH = 34


def legend(exercises: Sequence[Exercise]) -> str:
    """Return the head of the matrix: criteria stand in order, the exercises apart."""
    groups = [f"{exercise.number:<{len(exercise.criteria)}}" for exercise in exercises]
    return f"{'case':<{NAME_WIDTH}} {' '.join(groups)}"


def row(case: Case, outcome: Outcome, exercises: Sequence[Exercise]) -> str:
    """Return one line: a case, the sign of each criterion, and the time that the run took."""
    groups = [
        "".join(SIGNS[sign(case, outcome, criterion.number)] for criterion in exercise.criteria)
        for exercise in exercises
    ]
    mark = "ok" if as_expected(case, outcome) else "WRONG"
    return f"{case.name:<{NAME_WIDTH}} {' '.join(groups)}  {mark:<5} {outcome.seconds:4.0f} s"


def lines(runs: Sequence[tuple[Case, Outcome]], exercises: Sequence[Exercise]) -> list[str]:
    """Return the matrix of these runs, and what is wrong below it."""
    text = [legend(exercises), *(row(case, outcome, exercises) for case, outcome in runs), MEANINGS]
    for case, outcome in runs:
        text += [f"{case.name}: {told}" for told in surprises(case, outcome)]
    return text


def surprises(case: Case, outcome: Outcome) -> list[str]:
    """Say which verdicts were not the expected ones, and what the grader saw."""
    return [
        f"{number} {found}: {outcome.reasons.get(number, 'passed')}"
        for number in outcome.verdicts
        if (found := sign(case, outcome, number)) in {"missed", "false alarm", "undecided"}
    ] + (
        [f"{outcome.points:g} points, {case.points:g} expected"]
        if case.points is not None and outcome.points != case.points
        else []
    )
