import pytest

from chaos.history import Answer, Event, History, Part, Request
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
    ],
)
def test_a_second_providers_stream_is_whole(status: int, body: str, lacks: str) -> None:
    key, label = "ref-0a0a0a0a0a0a", f"held{plan.OF_THE_OTHER}"
    text = f'data: {{"content": "{expected_answer(key)}"}}\n\n'
    history = History(
        [
            Request(request=1, label=label, method="POST", path="/x", key=key),
            Answer(request=1, status=status, headers={}, body=body.replace("{text}", text), elapsed=0.1),
        ]
    )

    verdict = checks._not_whole(history.exchanges(label)[0])

    assert (verdict.expected if verdict else "") == (f"{lacks} ({label})" if lacks else "")


@pytest.mark.parametrize(
    ("status", "type_", "early", "lacks"),
    [
        (200, "text/event-stream", True, ""),
        (200, "text/event-stream", False, "the first words within 8 s"),
        (200, "application/json", True, "an answer of the type text/event-stream"),
        (502, "application/json", True, "a stream"),
    ],
)
@pytest.mark.parametrize("whose", plan.HELD_STREAMS)
def test_each_providers_stream_comes_as_it_is_sent(
    whose: str, status: int, type_: str, *, early: bool, lacks: str
) -> None:
    told: list[Event] = []
    for number, label in enumerate(plan.HELD_STREAMS):
        key = f"ref-0a0a0a0a0a0{number}"
        right = label != whose
        told.append(Request(request=number, label=label, method="POST", path="/x", key=key))
        if right or early:
            told.append(Part(request=number, text="One"))
        told.append(
            Answer(
                request=number,
                status=200 if right else status,
                headers={"content-type": "text/event-stream" if right else type_},
                body=f'data: {{"content": "{expected_answer(key)}"}}\n\n{DONE}',
                elapsed=0.1,
            )
        )

    verdict = checks.streams_as_it_comes(History(told))

    assert verdict.passed is not bool(lacks)
    assert verdict.expected.startswith(lacks)
    assert not lacks or whose in verdict.expected
