"""Histories in which a service says what nobody expects: every check ends in a verdict, and none is left open by it."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from chaos.history import Answer, Event, History, Log, Phase
from grading import judge
from grading.results import load
from tests.exam import EXAM
from tests.recordings import unpack

pytestmark = [pytest.mark.slow, pytest.mark.long]
TRIPPED = "could not read the history"

Change = Callable[[Event], Event]


@pytest.fixture(scope="module")
def histories(tmp_path_factory: pytest.TempPathFactory) -> dict[str, History]:
    return load(unpack("reference", tmp_path_factory.mktemp("recorded")))[1]


TEXTS = {
    "nothing": "",
    "no JSON": "<html>",
    "nested lists": "[" * 5_000,
    "closed nested lists": "[" * 3_000 + "]" * 3_000,
    "nested objects": '{"error":' * 3_000 + "1" + "}" * 3_000,
    "null": "null",
    "a number": "1e999",
    "a long number": "9" * 5_000,
    "not a number": "NaN",
    "a list": "[1, 2]",
    "half a character": '"\\ud800"',
    "controls": '{"message": "\\u0000\\u001b[31m", "error": "\\u202e"}',
}
VALUES: dict[str, Any] = {
    "null": None,
    "true": True,
    "infinity": float("inf"),
    "not a number": float("nan"),
    "400 digits": 10**400,
    "negative": -1,
    "a list": [[[]]],
    "an object": {"a": {"b": None}},
    "an empty text": "",
    "a long text": "x" * 10_000,
    "half a character": "\ud800",
    "a date out of range": "9999-99-99T99:99:99Z",
    "a date without a zone": "Fri, 27 Nov 2026 00:00:00",
}
HEADERS = {
    "empty": "",
    "huge number": "9" * 400,
    "infinite": "inf",
    "negative": "-5",
    "date without a zone": "Fri, 27 Nov 2026 00:00:00",
    "date out of range": "Fri, 99 Nov 99999 99:99:99 GMT",
    "controls": "\x1b]0;x\x07",
}


def _said(text: str) -> Change:
    """Every answer and every line is this text."""

    def change(event: Event) -> Event:
        match event:
            case Answer():
                return event.model_copy(update={"body": text})
            case Log():
                return event.model_copy(update={"text": text})
        return event

    return change


def _filled(value: Any) -> Change:
    """Every field of every answer and line has this value."""

    def change(event: Event) -> Event:
        match event:
            case Answer():
                return event.model_copy(update={"body": _fill(event.body, value)})
            case Log():
                return event.model_copy(update={"text": _fill(event.text, value)})
        return event

    return change


def _fill(text: str, value: Any) -> str:
    try:
        fields = json.loads(text)
    except ValueError:
        return text
    if not isinstance(fields, dict):
        return text
    return json.dumps(dict.fromkeys(fields, value))


def _headed(value: str) -> Change:
    """Every header of every answer has this value."""

    def change(event: Event) -> Event:
        if isinstance(event, Answer):
            return event.model_copy(update={"headers": dict.fromkeys([*event.headers, "retry-after"], value)})
        return event

    return change


def _after_control(history: History, change: Change) -> History:
    """What the service says while all is well stays: without it, nothing would be judged."""
    begin = next(
        (
            place
            for place, event in enumerate(history.events)
            if isinstance(event, Phase) and event.name != "control"
        ),
        len(history.events),
    )
    return History([*history.events[:begin], *map(change, history.events[begin:])])


def _changes() -> Iterator[tuple[str, Change]]:
    yield from ((f"said {name}", _said(text)) for name, text in TEXTS.items())
    yield from ((f"filled with {name}", _filled(value)) for name, value in VALUES.items())
    yield from ((f"headers {name}", _headed(value)) for name, value in HEADERS.items())


@pytest.mark.parametrize("change", [one for _, one in _changes()], ids=[name for name, _ in _changes()])
def test_every_criterion_has_a_verdict_that_is_not_the_graders_fault(
    change: Change, histories: dict[str, History]
) -> None:
    changed = {name: _after_control(history, change) for name, history in histories.items()}

    results = judge.judge(EXAM.exercises, changed, EXAM.scoring)

    criteria = [one for exercise in results for one in exercise.criteria]
    assert [f"{one.number}: {one.actual}" for one in criteria if TRIPPED in one.actual] == []
    assert [one.number for one in criteria if one.status == "not judged" and one.blame == "harness"] == []
    for exercise in results:
        exercise.model_dump_json()
