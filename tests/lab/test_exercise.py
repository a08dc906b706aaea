import inspect
import sys
from pathlib import Path

import pytest

from lab.exercise import RUN, Exercise, load
from lab.experiment import Experiment
from lab.verdict import Verdict
from tests.exam import EXAM

RUBRIC = """
number = 7
title = "Something"
[[criteria]]
name = "{name}"
title = "it holds"
hint = "Look."
"""


def written(folder: Path, name: str, package: str, experiments: str) -> Path:
    made = folder / package
    made.mkdir()
    (made / "exercise.toml").write_text(RUBRIC.format(name=name))
    (made / "checks.py").write_text("def holds(quiet): ...\n")
    (made / "experiments.py").write_text(experiments)
    return made


def test_a_criterion_reads_the_experiments_that_its_check_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    folder = written(tmp_path, "holds", "told_apart", "quiet = object()\n")

    [criterion] = load(folder, "told_apart").criteria

    assert (criterion.number, criterion.needs, criterion.points) == ("7.1", "answer", 1)
    assert len(criterion.experiments) == 1


def test_parts_that_do_not_fit_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    without_check = written(tmp_path, "fails", "without_check", "quiet = object()\n")
    without_experiment = written(tmp_path, "holds", "without_experiment", "loud = object()\n")

    with pytest.raises(ValueError, match="no check 'fails'"):
        load(without_check, "without_check")
    with pytest.raises(ValueError, match="no experiment 'quiet'"):
        load(without_experiment, "without_experiment")


@pytest.mark.parametrize("exercise", EXAM.exercises, ids=lambda one: f"exercise {one.number}")
def test_every_check_is_a_criterion_and_every_experiment_is_read_by_one(exercise: Exercise) -> None:
    package = exercise.criteria[0].check.__module__.rpartition(".")[0]
    checks, experiments = (sys.modules[f"{package}.{name}"] for name in ("checks", "experiments"))
    readable = {*vars(experiments), RUN}
    defined = [
        name
        for name, value in vars(checks).items()
        if inspect.isfunction(value)
        and value.__module__.startswith(f"{package}.")
        and not name.startswith("_")
        and inspect.signature(value).return_annotation is Verdict
        and set(inspect.signature(value).parameters) <= readable
    ]

    assert set(defined) == {criterion.name for criterion in exercise.criteria}
    assert {one for one in vars(experiments).values() if isinstance(one, Experiment)} == set(
        exercise.experiments
    )


@pytest.mark.parametrize("exercise", EXAM.exercises, ids=lambda one: f"exercise {one.number}")
def test_some_criteria_are_essential(exercise: Exercise) -> None:
    assert any(criterion.essential for criterion in exercise.criteria)


def test_numbers_titles_and_names_are_unique_and_hints_are_short() -> None:
    criteria = [criterion for exercise in EXAM.exercises for criterion in exercise.criteria]

    assert len({one.number for one in criteria}) == len(criteria)
    assert len({one.title for one in criteria}) == len(criteria)
    assert all(one.hint and len(one.hint) < 400 for one in criteria)


def test_an_experiments_name_means_one_experiment() -> None:
    experiments = {one for exercise in EXAM.exercises for one in exercise.experiments}

    assert len({one.name for one in experiments}) == len(experiments)
    assert all(one.description != one.name for one in experiments)
