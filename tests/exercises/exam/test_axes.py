"""Every criterion of the exam has axes, and a run tries every value on them."""

import pytest

from chaos.history import History
from grading.results import load
from lab.axes import missed
from lab.exercise import Criterion
from tests.exam import EXAM
from tests.recordings import unpack

pytestmark = pytest.mark.medium

CRITERIA = [criterion for exercise in EXAM.exercises for criterion in exercise.criteria]


@pytest.fixture(scope="module")
def histories(tmp_path_factory: pytest.TempPathFactory) -> dict[str, History]:
    return load(unpack("reference", tmp_path_factory.mktemp("recorded")))[1]


@pytest.mark.parametrize("criterion", CRITERIA, ids=lambda one: one.number)
def test_a_run_tries_every_value_of_a_criterions_axes(
    criterion: Criterion, histories: dict[str, History]
) -> None:
    read = (
        histories.values() if criterion.reads_run else [histories[one.name] for one in criterion.experiments]
    )

    assert criterion.axes
    assert missed(criterion.axes, read) == {}
