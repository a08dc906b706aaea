import json
from typing import Any

import pytest

from chaos.history import Answer, Began, History, Request
from exercises.catalogue import assessment
from exercises.week1.ex5_model_selection import checks


def judged(**fields: Any) -> str:
    contract = assessment("week1").contract
    body = json.dumps({"model": "gpt-4o", "profile": "quality", **fields})
    events = [
        Began(experiment="selections", seed=1, contract=contract),
        Request(request=1, label="enterprise simple 5", method="POST", path=contract.endpoints["select"]),
        Answer(request=1, status=200, headers={}, body=body, elapsed=0.1),
    ]
    return checks.follows_the_rules(History(events)).status


@pytest.mark.parametrize("reason", ["The tier is enterprise.", ["tier"], {"tier": "enterprise"}])
def test_a_selection_has_a_reason(reason: Any) -> None:
    assert judged(reason=reason) == "passed"


@pytest.mark.parametrize("fields", [{}, {"reason": ""}, {"reason": None}])
def test_a_selection_without_a_reason(fields: dict[str, Any]) -> None:
    assert judged(**fields) == "failed"
