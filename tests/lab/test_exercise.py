import inspect
import sys

import pytest

from lab.exercise import Exercise, exercises
from lab.experiment import Experiment
from lab.verdict import Verdict


@pytest.mark.parametrize("exercise", exercises(), ids=lambda one: f"exercise {one.number}")
def test_every_check_is_a_criterion_and_every_experiment_is_read_by_one(exercise: Exercise) -> None:
    checks = sys.modules[exercise.criteria[0].check.__module__]
    experiments = sys.modules[checks.__name__.removesuffix("checks") + "experiments"]
    defined = [
        name
        for name, value in vars(checks).items()
        if inspect.isfunction(value)
        and value.__module__ == checks.__name__
        and not name.startswith("_")
        and inspect.signature(value).return_annotation is Verdict
    ]

    assert set(defined) == {criterion.name for criterion in exercise.criteria}
    assert {one for one in vars(experiments).values() if isinstance(one, Experiment)} == set(
        exercise.experiments
    )


@pytest.mark.parametrize("exercise", exercises(), ids=lambda one: f"exercise {one.number}")
def test_some_criteria_are_essential(exercise: Exercise) -> None:
    assert any(criterion.essential for criterion in exercise.criteria)


def test_numbers_titles_and_names_are_unique_and_hints_are_short() -> None:
    criteria = [criterion for exercise in exercises() for criterion in exercise.criteria]

    assert len({one.number for one in criteria}) == len(criteria)
    assert len({one.title for one in criteria}) == len(criteria)
    assert all(one.hint and len(one.hint) < 400 for one in criteria)


def test_an_experiments_name_means_one_experiment() -> None:
    experiments = {one for exercise in exercises() for one in exercise.experiments}

    assert len({one.name for one in experiments}) == len(experiments)
    assert all(one.description != one.name for one in experiments)
