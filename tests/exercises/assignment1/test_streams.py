import pytest

from chaos.history import Answer, History, Request
from exercises.assignment1.part6_bonus import checks

WORD = 'data: {"content": "One"}\n\n'
DONE = "data: [DONE]\n\n"


@pytest.mark.parametrize(
    ("end", "passes"),
    [
        ('data: {"error": {"message": "broken off"}}\n\n', True),
        ('event: error\ndata: {"message": "broken off"}\n\n', True),
        ('data: {"message": "broken off"}\n\n', False),
        (DONE, False),
        ('data: {"error": "broken off"}\n\n' + DONE, False),
        ('event: error\ndata: {"message": "broken off"}\n\n' + DONE, False),
    ],
)
def test_a_break_is_an_event_with_an_error(end: str, *, passes: bool) -> None:
    events = []
    for number, label in enumerate(("error event", "cut off")):
        events += [
            Request(request=number, label=label, method="POST", path="/x"),
            Answer(request=number, status=200, headers={}, body=WORD + end, elapsed=0.1),
        ]

    assert checks.tells_of_breaks(History(events)).passed is passes
