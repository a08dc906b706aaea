import pytest

from chaos.history import Stall
from lab.timing import blame_stalls, disturbance, undisturbed, undisturbed_between
from tests.lab.story import Story, held_up


def test_only_stalls_during_a_request_disturb_it() -> None:
    story = Story()
    story.add(Stall(seconds=3.0))
    request = story.ask("a")
    story.now += 1
    story.add(Stall(seconds=0.5))
    story.add(Stall(seconds=0.1))
    story.answer(request)
    story.now += 5
    story.add(Stall(seconds=1.0))
    history = story.end()

    assert disturbance(history, history.exchanges("a")[0]) == pytest.approx(0.5)


def test_a_stall_counts_only_for_the_part_within_two_moments() -> None:
    history = held_up(Story().end(), 8.0, 3.0)

    assert undisturbed_between(history, 2.0, 10.0) == pytest.approx(5.0)
    assert undisturbed_between(history, 6.0, 10.0) == pytest.approx(2.0)


def test_a_time_over_its_limit_is_not_judged_where_stalls_alone_made_it_so() -> None:
    story = Story()
    story.reject("a", after=6.0)
    history = story.end()
    [exchange] = history.exchanges("a")
    held = held_up(history, 5.0, 2.0)

    verdict = blame_stalls(undisturbed(held, exchange), 4.5, "answer", exchange.end)

    assert verdict
    assert (verdict.status, verdict.blame) == ("not judged", "machine")
    assert verdict.actual == "the machine was too busy to time the answer"
    assert verdict.evidence == (exchange.end,)
    assert blame_stalls(undisturbed(held, exchange), 3.5, "answer") is None
    assert blame_stalls(undisturbed(history, exchange), 4.5, "answer") is None


def test_a_request_without_an_end_took_longer_than_any_limit() -> None:
    story = Story()
    story.ask("a")
    history = story.end()

    assert undisturbed(history, history.exchanges("a")[0]) == float("inf")
