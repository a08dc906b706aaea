import pytest

from chaos.history import Answer, Began, Event, History, Request
from exercises.chat import limit_checks
from exercises.chat.limit import BEYOND, ROUNDS
from tests.exam import CONTRACT

ALLOWED = 5


def rounds(*answered: int) -> History:
    """Rounds in which so many of the requests of an address were answered, and the others refused."""
    events: list[Event] = [Began(experiment="limits", seed=1, contract=CONTRACT)]
    for number, most in zip(ROUNDS, answered, strict=True):
        for position in range(ALLOWED + BEYOND):
            label = f"{'allowed' if position < ALLOWED else 'beyond'} {number}"
            request = len(events)
            status = 200 if position < most else 429
            events += [
                Request(request=request, label=label, method="POST", path="/x"),
                Answer(request=request, status=status, headers={}, body="{}", elapsed=0.1),
            ]
    return History(events)


@pytest.mark.parametrize(
    ("answered", "follows", "counts"),
    [
        (ALLOWED, True, True),
        (ALLOWED + 1, True, False),
        (ALLOWED - 1, True, False),
        (ALLOWED + BEYOND, False, False),
        (1, False, False),
        (0, False, False),
    ],
)
def test_who_counts_one_too_many_has_read_the_limit(answered: int, *, follows: bool, counts: bool) -> None:
    history = rounds(answered, answered)

    assert limit_checks.about(history, ALLOWED).passed is follows
    assert limit_checks.sequence(history, ALLOWED).passed is counts


def test_a_window_may_end_in_one_round() -> None:
    assert limit_checks.about(rounds(ALLOWED + BEYOND, ALLOWED), ALLOWED).passed
