import pytest

from chaos.history import Answer, Began, History, Request
from exercises.catalogue import assessment
from exercises.week1.ex4_fallback import checks


def told(what: str, status: int) -> str:
    events = [
        Began(experiment="fallback", seed=1, contract=assessment("week1").contract),
        Request(request=1, label="limited", method="POST", path="/x"),
        Answer(request=1, status=200, headers={}, body="{}", elapsed=0.1),
        Request(request=2, label=f"failing: {what}", method="POST", path="/x"),
        Answer(request=2, status=status, headers={}, body="{}", elapsed=0.1),
    ]
    return checks.other_failures_stay(History(events)).status


@pytest.mark.parametrize(
    ("what", "statuses"),
    [
        ("400", [400, 422]),
        ("401", [401, 500, 502]),
        ("500", [500, 502, 503]),
        ("503", [500, 502, 503]),
        ("broken connection", [500, 502, 503, 504]),
    ],
)
def test_a_failure_stays_whose_it_is(what: str, statuses: list[int]) -> None:
    assert {told(what, status) for status in statuses} == {"passed"}
    assert told(what, 200) == "failed"


@pytest.mark.parametrize(
    ("what", "status"), [("400", 500), ("400", 502), ("500", 400), ("503", 429), ("broken connection", 404)]
)
def test_a_failure_that_becomes_somebody_elses(what: str, status: int) -> None:
    assert told(what, status) == "failed"
