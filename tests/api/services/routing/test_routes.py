import pytest

from api.services.callers import Tier
from api.services.routing.routes import Route, Wish, find_route, parse_routes

WISH = Wish(requested="large", tier=Tier.FREE, task="summary", latency_budget=1.5)


@pytest.mark.parametrize(
    ("conditions", "matches"),
    [
        ({}, True),
        ({"requested": "large"}, True),
        ({"requested": "small"}, False),
        ({"tier": "free"}, True),
        ({"tier": "premium"}, False),
        ({"task": "summary"}, True),
        ({"task": "chat"}, False),
        ({"latency_budget": 1.5}, True),
        ({"latency_budget": 1}, False),
        ({"tier": "free", "task": "summary", "latency_budget": 2}, True),
        ({"tier": "free", "task": "chat", "latency_budget": 2}, False),
    ],
)
def test_a_rule_is_met_if_all_of_its_conditions_are(conditions: dict[str, object], *, matches: bool) -> None:
    assert Route.model_validate({"model": "small", **conditions}).matches(WISH) is matches


def test_a_caller_that_names_no_budget_or_task_meets_no_rule_about_them() -> None:
    wish = Wish(requested="large", tier=Tier.FREE)
    assert not Route(model="small", latency_budget=10).matches(wish)
    assert not Route(model="small", task="summary").matches(wish)


def test_the_first_rule_counts() -> None:
    routes = parse_routes(
        '[{"tier": "premium", "model": "a"}, {"tier": "free", "model": "b"}, {"model": "c"}]'
    )
    assert isinstance(routes, tuple)

    assert find_route(routes, WISH) == routes[1]
    assert find_route(routes[:1], WISH) is None
