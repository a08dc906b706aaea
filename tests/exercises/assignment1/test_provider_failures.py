import pytest

from chaos.history import Answer, Began, Call, Event, History, Reply, Request
from chaos.keys import Keys, expected_answer
from exercises.assignment1 import plan
from exercises.assignment1.part4_llm_service import checks
from exercises.catalogue import assessment
from exercises.chat.prices import PRICES
from lab.verdict import Verdict

COST = PRICES["gpt-4o-mini"].cost(*plan.FALLBACK_USAGE)


def refused_connections(status: int, *seconds: float) -> History:
    events: list[Event] = []
    for number, elapsed in enumerate(seconds):
        events += [
            Request(request=number, label=plan.REFUSED_CONNECTION, method="POST", path="/x"),
            Answer(request=number, status=status, headers={}, body="{}", elapsed=elapsed),
        ]
    return History(events)


@pytest.mark.parametrize("seconds", [(1.6, 1.9), (0.3, 0.2), (0.02, 0.4, 0.05, 0.1), ()])
def test_a_refused_connection_that_is_retried_takes_its_pauses(seconds: tuple[float, ...]) -> None:
    assert checks._refused_connections_are_retried(refused_connections(503, *seconds)).passed


def test_a_refused_connection_that_is_answered_at_once_was_not_retried() -> None:
    verdict = checks._refused_connections_are_retried(refused_connections(503, 0.02, 0.3, 0.05))

    assert verdict.status == "failed"
    assert verdict.actual == "503 after 0.05 s; 2 of 3 answers came sooner"


def given_up(**statuses: int) -> History:
    """Return the history of a provider that hangs, with these answers by the first words of their labels."""
    return History(
        [
            event
            for number, label in enumerate(checks.HANGING)
            for event in (
                Request(request=number, label=label, method="POST", path="/x"),
                Answer(request=number, status=statuses.get(label, 504), headers={}, body="{}", elapsed=25.0),
            )
        ]
    )


def told_apart(status: int) -> Verdict:
    hanging = given_up()
    failures = refused_connections(status, 1.5)
    lasting = [
        Request(request=9, label="lasting: 429", method="POST", path="/x"),
        Answer(request=9, status=429, headers={}, body="{}", elapsed=1.5),
    ]
    return checks.errors_are_told_apart(History([*failures.events, *lasting]), hanging)


def test_a_provider_that_cannot_be_reached_has_its_statuses() -> None:
    assert told_apart(502).passed
    assert told_apart(503).passed
    assert told_apart(500).status == "failed"
    assert told_apart(504).status == "failed"


def fallback(
    all_limited: int, seconds: float = 1.0, *, called: str = "gpt-4o-mini", named: str = "gpt-4o-mini"
) -> Verdict:
    key = next(Keys(7, "fallback"))
    body = f'{{"content": "{expected_answer(key)}", "model": "{named}", "cost_usd": {COST}}}'
    events = [
        Began(experiment="failures", seed=1, contract=assessment("assignment1").contract),
        Request(request=1, label="fallback", method="POST", path="/x", key=key),
        Call(
            upstream="openai",
            call=1,
            connection=1,
            key=key,
            method="POST",
            path="/v1",
            step="answer",
            model=called,
        ),
        Reply(call=1, outcome="answered", status=200, usage=plan.FALLBACK_USAGE),
        Answer(request=1, status=200, headers={}, body=body, elapsed=1.0),
        Request(request=2, label="all limited", method="POST", path="/x"),
        Answer(request=2, status=all_limited, headers={}, body="{}", elapsed=seconds),
    ]
    return checks.falls_back(History(events))


def test_429_is_the_answer_if_the_fallback_is_rate_limited_too() -> None:
    assert fallback(429).passed
    assert fallback(504, seconds=20.0).passed
    assert fallback(504).status == fallback(503, seconds=20.0).status == "failed"
    verdict = fallback(503)
    assert (verdict.status, verdict.expected) == ("failed", "429 if every model is rate limited")


@pytest.mark.parametrize(
    ("called", "named", "passes"),
    [
        ("gpt-4o-mini-2024-07-18", "gpt-4o-mini", True),
        ("gpt-4o-mini-latest", "gpt-4o-mini", True),
        ("gpt-4o-mini", "gpt-4o", False),
        ("gpt-4o-mini-2024-07-18", "gpt-4o", False),
    ],
)
def test_a_model_may_be_named_without_its_date(called: str, named: str, *, passes: bool) -> None:
    assert fallback(429, called=called, named=named).passed is passes


def failing(label: str, status: int) -> History:
    lasting = [
        Request(request=9, label="lasting: 429", method="POST", path="/x"),
        Answer(request=9, status=429, headers={}, body="{}", elapsed=1.5),
    ]
    one = [
        Request(request=1, label=label, method="POST", path="/x"),
        Answer(request=1, status=status, headers={}, body="{}", elapsed=1.5),
    ]
    return History([*lasting, *one])


@pytest.mark.parametrize(
    ("label", "status", "passes"),
    [
        ("rubbish: no choices", 502, True),
        ("rubbish: no choices", 503, True),
        ("rubbish: no choices", 500, False),
        (f"rubbish: an empty object{plan.OF_THE_OTHER}", 500, False),
        (f"lasting: 429{plan.OF_THE_OTHER}", 500, False),
        (f"refused: 400{plan.OF_THE_OTHER}", 400, True),
        (f"refused: 401{plan.OF_THE_OTHER}", 401, False),
    ],
)
def test_rubbish_and_a_second_provider_have_their_statuses(label: str, status: int, *, passes: bool) -> None:
    assert checks.errors_are_told_apart(failing(label, status), given_up()).passed is passes


def test_a_second_provider_that_hangs_is_given_up() -> None:
    second = {f"hangs{plan.OF_THE_OTHER}": 500}

    assert checks.errors_are_told_apart(failing("refused: 400", 400), given_up()).passed
    verdict = checks.errors_are_told_apart(failing("refused: 400", 400), given_up(**second))
    assert verdict.expected == f"504 if the provider hangs{plan.OF_THE_OTHER}"


@pytest.mark.parametrize(("calls", "passes"), [(3, True), (4, True), (1, False), (12, False)])
def test_a_second_provider_is_called_again_as_often(calls: int, *, passes: bool) -> None:
    key = next(Keys(1, "failures"))
    label = f"lasting: 500{plan.OF_THE_OTHER}"
    events: list[Event] = [Began(experiment="failures", seed=1, contract=assessment("assignment1").contract)]
    events.append(Request(request=1, label=label, method="POST", path="/x", key=key))
    events += [
        Call(call=number, upstream="anthropic", method="POST", path="/", connection=1, key=key, model="m")
        for number in range(calls)
    ]
    events.append(Answer(request=1, status=502, headers={}, body="{}", elapsed=4.0))
    history = History(events)

    assert (checks._wrong_number(history, history.exchanges(label)[0], "retries") is None) is passes
