import pytest

from chaos.history import Answer, History, Request
from chaos.keys import expected_answer
from exercises.assignment1 import plan
from exercises.assignment1.part6_bonus import checks

WORD = 'data: {"content": "One"}\n\n'
DONE = "data: [DONE]\n\n"


@pytest.mark.parametrize(
    ("end", "passes"),
    [
        ('data: {"error": {"message": "broken off"}}\n\n', True),
        ('event: error\ndata: {"message": "broken off"}\n\n', True),
        ('data: {"type": "error", "message": "broken off"}\n\n', True),
        ('data: {"content": " two", "error": null}\n\n', False),
        ('data: {"message": "broken off"}\n\n', False),
        (DONE, False),
        ('data: {"error": "broken off"}\n\n' + DONE, False),
        ('event: error\ndata: {"message": "broken off"}\n\n' + DONE, False),
    ],
)
def test_a_break_is_an_event_with_an_error(end: str, *, passes: bool) -> None:
    events = []
    for number, label in enumerate(plan.BROKEN_STREAMS):
        events += [
            Request(request=number, label=label, method="POST", path="/x"),
            Answer(request=number, status=200, headers={}, body=WORD + end, elapsed=0.1),
        ]

    assert checks.tells_of_breaks(History(events)).passed is passes


@pytest.mark.parametrize(
    ("status", "body", "lacks"),
    [
        (200, "{text}" + DONE, ""),
        (200, "{text}", "data: [DONE] at the end"),
        (200, WORD + DONE, "the provider's whole text in the events, each piece once"),
        (200, WORD + "{text}" + DONE, "the provider's whole text in the events, each piece once"),
        (502, "", "a stream"),
    ],
)
def test_a_second_providers_stream_is_whole(status: int, body: str, lacks: str) -> None:
    key, label = "ref-0a0a0a0a0a0a", f"whole{plan.OF_THE_OTHER}"
    text = f'data: {{"content": "{expected_answer(key)}"}}\n\n'
    history = History(
        [
            Request(request=1, label=label, method="POST", path="/x", key=key),
            Answer(request=1, status=status, headers={}, body=body.replace("{text}", text), elapsed=0.1),
        ]
    )

    verdict = checks._not_whole(history.exchanges(label)[0])

    assert (verdict.expected if verdict else "") == (f"{lacks} ({label})" if lacks else "")
