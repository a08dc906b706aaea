from datetime import date

import pytest

from src.models.responses import Usage
from src.services.budget import DailyBudget
from src.services.errors import BudgetSpentError, RequestLimitError
from src.services.limits import SlidingWindow
from src.services.pricing import cost
from tests.fakes import FakeClock

MILLION = Usage(input_tokens=1_000_000, output_tokens=1_000_000, total_tokens=2_000_000)


def refused_for(window: SlidingWindow, client: str) -> float | None:
    """Send one request, and return the seconds of its refusal, or None if it passes."""
    try:
        window.check(client)
    except RequestLimitError as error:
        return error.retry_after
    return None


def test_a_client_passes_as_often_as_allowed() -> None:
    window = SlidingWindow(2, 10.0, FakeClock())

    assert [refused_for(window, "a") for _ in range(3)] == [None, None, 10.0]
    assert refused_for(window, "b") is None


def test_a_client_passes_again_when_it_was_told() -> None:
    clock = FakeClock()
    window = SlidingWindow(2, 10.0, clock)
    window.check("a")
    clock.now += 4
    window.check("a")

    clock.now += 4
    assert refused_for(window, "a") == 2.0
    clock.now += 2
    assert [refused_for(window, "a") for _ in range(2)] == [None, 4.0]


def test_clients_are_forgotten_after_a_window() -> None:
    clock = FakeClock()
    window = SlidingWindow(2, 10.0, clock)
    for number in range(1000):
        window.check(f"client-{number}")
    assert len(window) == 1000

    clock.now += 10
    window.check("another")

    assert len(window) == 1


def test_a_client_that_goes_on_is_kept() -> None:
    clock = FakeClock()
    window = SlidingWindow(2, 10.0, clock)
    window.check("quiet")
    window.check("busy")
    clock.now += 6
    window.check("busy")
    clock.now += 6
    window.check("another")

    assert len(window) == 2
    assert refused_for(window, "busy") is None
    assert refused_for(window, "busy") == 4.0


def test_the_budget_is_spent_once_the_limit_is_reached() -> None:
    budget = DailyBudget(1.0, lambda: date(2030, 1, 1))
    budget.add(0.99)
    budget.check()
    budget.add(0.01)

    with pytest.raises(BudgetSpentError):
        budget.check()
    assert budget.spent == 1.0


def test_each_day_has_its_own_budget() -> None:
    days = [date(2030, 1, 1)]
    budget = DailyBudget(1.0, lambda: days[-1])
    budget.add(5.0)

    days.append(date(2030, 1, 2))
    budget.check()

    assert budget.spent == 0


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("gpt-4o-mini", 0.75),
        ("gpt-4o-mini-2024-07-18", 0.75),
        ("gpt-4o", 12.50),
        ("gpt-4o-2024-08-06", 12.50),
        ("claude-3-5-sonnet", 18.00),
        ("claude-3-5-sonnet-latest", 18.00),
        ("claude-3-opus-20240229", 90.00),
        ("gpt-4o-audio-preview", None),
        ("something-else", None),
    ],
)
def test_a_completion_costs_what_its_model_does(model: str, expected: float | None) -> None:
    assert cost(model, MILLION) == expected
