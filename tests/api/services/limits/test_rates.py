import pytest

from api.services.callers import Caller, Tier
from api.services.limits.rates import Budgets, Rate, parse_budgets, parse_rates


def test_rates_by_tier() -> None:
    assert parse_rates('{"free": "10/minute", "premium": "5 / second", "enterprise": "9/day"}') == {
        Tier.FREE: Rate(10, 60),
        Tier.PREMIUM: Rate(5, 1),
        Tier.ENTERPRISE: Rate(9, 86400),
    }


@pytest.mark.parametrize(
    "value",
    [
        "canary",
        '["canary"]',
        '{"canary": "10/minute"}',
        '{"free": "canary"}',
        '{"free": 10}',
        '{"free": "0/minute"}',
        '{"free": "-1/minute"}',
        '{"free": "1.5/minute"}',
        '{"free": "10/minutes"}',
        '{"free": "9999999999999/day"}',
        "[" * 100_000,
    ],
)
def test_what_is_no_rate_is_refused_in_one_sentence(value: str) -> None:
    with pytest.raises(ValueError, match="rates per second, minute, hour or day") as raised:
        parse_rates(value)
    assert "canary" not in str(raised.value)


def test_a_users_own_budget_counts_instead_of_the_tiers() -> None:
    budgets = parse_budgets('{"free": 0.5, "user:free": 2, "user:alice": 0}')
    assert isinstance(budgets, Budgets)

    def of(user: str, tier: Tier) -> float | None:
        return budgets.of(Caller(user, tier, frozenset()))

    assert of("bob", Tier.FREE) == 0.5
    assert of("free", Tier.PREMIUM) == 2
    assert of("alice", Tier.FREE) == 0
    assert of("bob", Tier.PREMIUM) is None


@pytest.mark.parametrize(
    "value", ["canary", '{"canary": 1}', '{"free": "1"}', '{"free": -1}', '{"free": true}', '{"free": 1e999}']
)
def test_what_is_no_budget_is_refused_in_one_sentence(value: str) -> None:
    with pytest.raises(ValueError, match="US dollars a day") as raised:
        parse_budgets(value)
    assert "canary" not in str(raised.value)
