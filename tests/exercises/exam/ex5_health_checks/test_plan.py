import itertools

import pytest

from exercises.exam.ex5_health_checks.axes import BROKEN, HANGING, SILENT
from exercises.exam.ex5_health_checks.plan import Plan, Step
from exercises.exam.ex5_health_checks.readiness import DEPENDENCIES

SEEDS = range(20)


def broken(plan: Plan) -> list[Step]:
    return [*plan.broken_in_turn(), *plan.broken_still(0), *plan.broken_still(1)]


@pytest.mark.parametrize("seed", SEEDS)
def test_each_dependency_fails_in_all_ways_but_three_and_each_way_is_tried(seed: int) -> None:
    met = {one: [step.down[one] for step in broken(Plan(seed)) if one in step.down] for one in DEPENDENCIES}

    assert all(len(kinds) == len(set(kinds)) == len(BROKEN.values) - 3 for kinds in met.values())
    assert {kind for kinds in met.values() for kind in kinds} == set(BROKEN.values)
    assert all(sum(kind.startswith("answers ") for kind in kinds) >= 2 for kinds in met.values())


@pytest.mark.parametrize("seed", SEEDS)
def test_each_way_but_hanging_is_tried_where_there_is_time_for_one_experiment_only(seed: int) -> None:
    assert {kind for step in Plan(seed).broken_in_turn() for kind in step.down.values()} == set(BROKEN.values)


@pytest.mark.parametrize("seed", SEEDS)
def test_after_a_rest_everything_is_the_other_way_round(seed: int) -> None:
    one, other = (set(step.down) for step in Plan(seed).broken_at_rest())

    assert other == set(DEPENDENCIES) - one


@pytest.mark.parametrize("seed", SEEDS)
def test_between_two_steps_something_recovers_or_fails_so_that_a_new_report_can_be_told(seed: int) -> None:
    plan = Plan(seed)
    walks = [
        plan.broken_in_turn(),
        [*plan.in_turn("takes no connections"), *plan.broken_still(0)],
        [*plan.silent_in_turn(), *plan.broken_still(1), plan.silent_together()],
    ]

    for walk in walks:
        for before, after in itertools.pairwise(walk):
            assert set(before.down) != set(after.down)


def test_each_is_down_alone_each_two_are_together_and_all_are() -> None:
    states = [frozenset(step.down) for step in Plan(1).broken_in_turn()]

    assert sorted(map(len, states)) == [1, 1, 1, 2, 2, 2, 3]
    assert len(set(states)) == len(states)
    assert all(len(step.down) < 3 for step in Plan(1).broken_in_turn() if step.can_wait)


@pytest.mark.parametrize("seed", SEEDS)
def test_each_dependency_is_silent_in_all_ways(seed: int) -> None:
    plan = Plan(seed)
    for one in DEPENDENCIES:
        kinds = {
            step.down[one] for step in (*plan.silent_in_turn(), plan.silent_together()) if one in step.down
        }
        assert kinds == set(SILENT.values) < set(HANGING.values)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_cannot_wait_still_breaks_each_dependency_and_has_each_hang(seed: int) -> None:
    plan = Plan(seed)
    broken, unreachable, silent = (
        [step for step in steps if not step.can_wait]
        for steps in (
            plan.broken_in_turn(),
            [*plan.in_turn("takes no connections"), *plan.broken_still(0)],
            [*plan.silent_in_turn(), *plan.broken_still(1), plan.silent_together()],
        )
    )

    assert [len(step.down) for step in broken] == [1, 2, 3]
    assert len({one for step in broken[:2] for one in step.down}) == 3
    for steps in (unreachable, silent):
        assert [len(step.down) for step in steps] == [1, 3]
    assert unreachable[0].down.keys() != silent[0].down.keys()


def test_another_seed_is_another_plan() -> None:
    assert Plan(1).broken_in_turn() == Plan(1).broken_in_turn()
    assert len({str(Plan(seed).broken_in_turn()) for seed in SEEDS}) > 10
