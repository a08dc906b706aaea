import pytest

from chaos.history import Answer, Began, Call, Event, Failure, History, Request
from exercises.catalogue import assessment
from exercises.exam.ex4_errors_and_retry.rejections import told

KINDS = ("one", "two", "three")


def asked(number: int, label: str, *, t: float, called: bool = True) -> list[Event]:
    request = Request(t=t, request=number, label=label, method="POST", path="/", key=f"ref-{number}")
    call = Call(
        t=t, call=number, upstream="litellm", method="POST", path="/", connection=1, key=f"ref-{number}"
    )
    return [request, call] if called else [request]


@pytest.mark.parametrize(
    ("end", "is_told"),
    [
        (Answer(t=9.0, request=9, status=502, headers={}, body="", elapsed=8.0), False),
        (Failure(t=9.0, request=9, error="timeout", elapsed=8.0), True),
    ],
)
def test_an_error_beside_a_rejection_says_nothing_and_no_answer_at_all_does(
    end: Answer | Failure, *, is_told: bool
) -> None:
    events: list[Event] = [Began(experiment="refusals", seed=1, contract=assessment("exam").contract)]
    for number, label in enumerate(KINDS):
        answer = Answer(t=0.5, request=number, status=200, headers={}, body="", elapsed=0.5)
        events += [*asked(number, label, t=0.0), answer]
    rejected = Answer(t=9.5, request=10, status=503, headers={"retry-after": "5"}, body="", elapsed=0.0)
    events += [*asked(9, "slow", t=1.0), end, *asked(10, "other", t=9.5, called=False), rejected]

    assert ("slow" in told(History(events), [*KINDS, "slow"], hoped=True)) is is_told
