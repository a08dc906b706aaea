"""Results as a grading would give them."""

from lab.result import CriterionResult


def make_criterion(
    number: str, *, passed: bool, essential: bool = True, points: float = 50
) -> CriterionResult:
    return CriterionResult(
        number=number,
        name=f"criterion_{number}",
        title=f"Criterion {number}",
        essential=essential,
        points=points,
        status="passed" if passed else "failed",
        expected="",
        actual="",
        blame=None if passed else "submission",
        moments=(),
        hint="",
    )
