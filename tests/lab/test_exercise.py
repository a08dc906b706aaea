import inspect

from lab.exercise import exercises


def test_every_exercise_loads_with_its_checks_and_experiments() -> None:
    for exercise in exercises():
        assert exercise.criteria
        assert any(criterion.essential for criterion in exercise.criteria)
        for criterion in exercise.criteria:
            assert tuple(inspect.signature(criterion.check).parameters) == tuple(
                experiment.name for experiment in criterion.experiments
            )


def test_numbers_titles_and_names_are_unique_and_hints_are_short() -> None:
    criteria = [criterion for exercise in exercises() for criterion in exercise.criteria]

    assert len({one.number for one in criteria}) == len(criteria)
    assert len({one.title for one in criteria}) == len(criteria)
    assert all(one.hint and len(one.hint) < 400 for one in criteria)


def test_an_experiments_name_means_one_experiment() -> None:
    experiments = {one for exercise in exercises() for one in exercise.experiments}

    assert len({one.name for one in experiments}) == len(experiments)
    assert all(one.description != one.name for one in experiments)
