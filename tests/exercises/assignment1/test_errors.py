import json
import random
from collections.abc import Callable
from typing import Any

import pytest

from chaos.history import Answer, Event, History, Request
from exercises.assignment1 import bounds
from exercises.assignment1.part3_models import checks

REASONS = {
    "role": "Input should be system, user or assistant",
    "content": "String should have 1 to 32000 characters",
    "messages": "List should have at most 100 items",
    "temperature": "Number should be less than or equal to 2",
    "max_tokens": "Integer should be greater than 0",
}


def refused(answer: Callable[[bounds.Case], Any]) -> History:
    """Return the history of a service that answers each wrong body with 422 and this."""
    events: list[Event] = []
    for number, case in enumerate(bounds.outside("ref-0a0a0a0a0a0a", random.Random(1))):
        body = json.dumps(case.body, separators=(",", ":"))[:2048]
        label = case.label(bounds.OUTSIDE)
        events += [
            Request(request=number, label=label, method="POST", path="/x", body=body, body_bytes=len(body)),
            Answer(request=number, status=422, headers={}, body=json.dumps(answer(case)), elapsed=0.01),
        ]
    return History(events)


def test_reasons_may_be_in_any_language() -> None:
    reasons = dict(
        zip(
            REASONS,
            (
                "роль невідома",
                "вміст порожній чи задовгий",
                "забагато повідомлень",
                "число завелике",
                "занадто мало",
            ),
            strict=True,
        )
    )

    assert checks.errors_name_the_field(refused(lambda case: {case.field: reasons[case.field]})).passed


@pytest.mark.parametrize("place", ["body", "detail", "input"])
def test_problems_may_be_grouped_by_where_they_are(place: str) -> None:
    told = refused(lambda case: {place: {f"messages.1.{case.field}": [REASONS[case.field]]}})

    assert checks.errors_name_the_field(told).passed


@pytest.mark.parametrize(
    "answer",
    [
        lambda case: {"error": "It is wrong somewhere", "body": case.body},
        lambda case: (
            {"error": "It is wrong somewhere", "received": case.body["messages"][:]}
            if "messages" in case.body
            else {}
        ),
        lambda case: {"error": "It is wrong somewhere", "input": json.dumps(case.body, indent=2)},
        lambda case: {"error": "It is wrong somewhere", "value": str(case.body)},
        lambda case: {"error": case.field, "ctx": {"body": REASONS[case.field]}},
    ],
)
def test_what_was_sent_explains_nothing(answer: Callable[[bounds.Case], Any]) -> None:
    assert checks.errors_name_the_field(refused(answer)).status == "failed"
