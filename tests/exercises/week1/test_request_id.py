import pytest

from chaos.history import Answer, Event, History, Request
from exercises.chat import id_checks


def answered(*answers: tuple[int, str]) -> History:
    """Requests without an id of the caller's: the status of each answer, and its id ("" where it has none)."""
    events: list[Event] = []
    for number, (status, given) in enumerate(answers):
        events.append(Request(request=number, label="no id", method="GET", path="/"))
        headers = {"x-request-id": given} if given else {}
        events.append(Answer(request=number, status=status, headers=headers, body="", elapsed=0.01))
    return History(events)


@pytest.mark.parametrize(
    ("answers", "passes"),
    [
        ([(200, "a"), (404, "b")], True),
        ([(200, "a"), (404, "a")], False),
        ([(200, "a"), (404, ""), (404, "")], True),
        ([(200, "a"), (200, "")], False),
        ([(200, "")], False),
    ],
)
def test_ids_that_are_made_are_unique(answers: list[tuple[int, str]], *, passes: bool) -> None:
    """An error without an id counts under "every response has one" alone."""
    assert id_checks.unique(answered(*answers)).passed is passes
