import json
from collections.abc import Callable
from typing import Any

import pytest

from chaos.history import Answer, Began, Call, Event, Given, History, Reply, Request
from chaos.keys import expected_answer
from exercises.assignment1 import plan
from exercises.assignment1.part5_endpoint import checks
from exercises.catalogue import assessment
from exercises.chat import id_checks
from lab.verdict import Verdict
from tests.exam import CONTRACT

KEY = "ref-0a0a0a0a0a0a"
ID = {"x-request-id": "a1"}


def told(experiment: str, *answers: tuple[str, int, str, dict[str, str]]) -> History:
    events: list[Event] = [Began(experiment=experiment, seed=1, contract=CONTRACT)]
    for number, (label, status, body, headers) in enumerate(answers):
        events += [
            Request(request=number, label=label, method="POST", path="/x", key=KEY),
            Answer(request=number, status=status, headers=headers, body=body, elapsed=0.5),
        ]
    return History(events)


WRONG = told(
    "requests", *((label, next(iter(statuses)), "{}", {}) for label, statuses in checks.STATUSES.items())
)


def test_errors_are_json_objects_in_every_experiment_that_has_some() -> None:
    good = told("limits", ("beyond 1", 429, '{"error": "too many"}', ID), ("allowed 1", 200, "", ID))
    text = told("failures", ("lasting: 503", 502, "Bad gateway", ID))
    other = told("streams", ("cut off", 500, "It broke", ID))

    assert checks.statuses_are_right(WRONG, run=[WRONG]).passed
    assert checks.statuses_are_right(WRONG, run=[WRONG, good, other, told("budget")]).passed
    verdict = checks.statuses_are_right(WRONG, run=[WRONG, good, text])
    assert (verdict.status, verdict.expected) == ("failed", "a JSON object in the 502 for 'lasting: 503'")


def test_ids_are_on_errors_of_every_experiment_that_has_some() -> None:
    ids = told("requests", ("sane id", 200, "{}", ID), ("insane id", 200, "{}", {"x-request-id": "b2"}))
    for one in ids.of(Request):
        one.headers["x-request-id"] = "a1" if one.label == "sane id" else "a 1"
    without = told("budget", ("cheap", 200, "{}", ID), ("beyond", 402, "{}", {}))

    assert checks.request_ids(ids, run=[ids, told("limits", ("beyond 1", 429, "{}", ID))]).passed
    assert checks.request_ids(ids, run=[ids, without]).status == "failed"


@pytest.mark.parametrize(("first", "passes"), [(1, False), (3, True), (100, True)])
def test_two_instances_do_not_make_the_same_ids(first: int, *, passes: bool) -> None:
    one = told("requests", *(("no id", 404, "{}", {"x-request-id": str(number)}) for number in range(1, 6)))
    other = told(
        "limits",
        *(("no id", 404, "{}", {"x-request-id": str(number)}) for number in range(first, first + 5)),
    )

    assert id_checks.apart([one, other]).passed is passes


def test_the_content_is_the_providers_whole_text_and_nothing_else() -> None:
    for content, whole in (
        (f"{expected_answer(KEY)}\n", True),
        (f"{expected_answer(KEY)} (By a model.)", False),
    ):
        body = f'{{"content": {content!r}}}'.replace("'", '"')
        history = told("requests", ("conversation", 200, body, ID))

        verdict = checks._came_back(history, history.exchanges("conversation")[0])

        assert verdict.expected.startswith(
            f"the model that answered, {plan.OTHER_MODEL}" if whole else "the provider's text"
        )


@pytest.mark.parametrize(
    ("status", "verdict"), [(415, "passed"), (422, "passed"), (400, "passed"), (200, "failed")]
)
def test_json_that_is_sent_as_text_is_refused(status: int, verdict: str) -> None:
    answers = {label: next(iter(statuses)) for label, statuses in checks.STATUSES.items()}
    answers["JSON as text/plain"] = status
    history = told("requests", *((label, one, "{}", {}) for label, one in answers.items()))

    assert checks.statuses_are_right(history, run=[history]).status == verdict


def tokens(status: int, asked: object) -> Verdict:
    """Judge a limit of 500 for a request that has no max_tokens."""
    call = Call(
        upstream="openai",
        call=1,
        connection=1,
        key=KEY,
        method="POST",
        path="/v1/chat/completions",
        step="answer",
        asked=json.dumps({} if asked is None else {"max_tokens": asked}),
    )
    given = Given(variables={"MAX_TOKENS_PER_REQUEST": "500"})
    history = told("limits", ("no max_tokens", status, '{"content": "Hi"}', ID))
    return checks._default_below(History([given, *history.events, call]))


@pytest.mark.parametrize("asked", [500, 300])
def test_the_default_of_max_tokens_keeps_the_limit(asked: int) -> None:
    assert tokens(200, asked).passed


@pytest.mark.parametrize(("status", "asked"), [(200, 1024), (200, None), (422, 500)])
def test_a_default_of_max_tokens_above_the_limit(status: int, asked: object) -> None:
    assert tokens(status, asked).status == "failed"


def spent(*called: str) -> str:
    """Judge a day's money that is spent, after which the provider is called for these labels."""
    labels = {"cheap": 200, "spending": 200, "beyond": 402, "stream beyond": 422}
    events: list[Event] = [Began(experiment="budget", seed=1, contract=CONTRACT)]
    for number, (label, status) in enumerate(labels.items()):
        key = f"ref-0a0a0a0a0a0{number}"
        events.append(Request(request=number, label=label, method="POST", path="/x", key=key))
        if label in called:
            events.append(
                Call(
                    upstream="openai",
                    call=number,
                    connection=number,
                    key=key,
                    method="POST",
                    path="/v1",
                    step="answer",
                )
            )
        events.append(Answer(request=number, status=status, headers={}, body="{}", elapsed=0.5))
    return checks.daily_cost_limit(History(events)).status


def test_no_stream_begins_once_the_money_is_spent() -> None:
    assert spent("cheap", "spending") == "passed"
    assert spent("cheap", "spending", "stream beyond") == "failed"
    assert spent("cheap", "spending", "beyond") == "failed"


def limited(as_told: int | None) -> Verdict:
    """Judge a limit of 2 in 8 s whose refusals say `Retry-After: 1`, and what comes back then is answered so."""
    answers: list[tuple[str, int, str, dict[str, str]]] = []
    done = (200, "{}", ID)
    refused = (429, "{}", {**ID, "retry-after": "1"})
    for number in (1, 2):
        answers += [(f"allowed {number}", *done)] * 2 + [(f"beyond {number}", *refused)] * 2
        answers += [(f"forged {number}", *refused), (f"another address {number}", *done)]
        answers += [(f"at once {number}", *done)] * 2 + [(f"at once {number}", *refused)] * 2
    if as_told is not None:
        answers.append(("as told", as_told, "{}", {**ID, "retry-after": "1"}))
    answers.append(("after the window", *done))
    given = Given(variables={"RATE_LIMIT_WINDOW": "8"})
    return checks.request_limit(History([given, *told("limits", *answers).events]))


def test_an_address_that_comes_back_as_told_is_served() -> None:
    assert limited(200).passed
    assert limited(None).passed
    assert limited(429).expected.startswith("an address that comes back after Retry-After is served")


OTHER = f"conversation{plan.OF_THE_OTHER}"


def of_the_other(change: Callable[[dict[str, Any]], object]) -> Verdict:
    """Judge a conversation that has reached the second provider, changed in some way."""
    sent = plan.conversation_body(KEY, plan.OTHER_PROVIDERS_MODEL)
    system, *messages = sent["messages"]
    asked = {**sent, "system": system["content"], "messages": messages}
    change(asked)
    call = Call(
        call=1,
        upstream="anthropic",
        method="POST",
        path="/v1/messages",
        connection=1,
        key=KEY,
        asked=json.dumps(asked),
    )
    history = told("requests", (OTHER, 200, "{}", ID))
    contract = assessment("assignment1").contract
    began = Began(experiment="requests", seed=1, contract=contract)
    history = History([began, call, *history.events[1:]])
    return checks._reached_the_other(history, history.exchanges(OTHER)[0])


@pytest.mark.parametrize(
    ("change", "passes"),
    [
        (lambda _: None, True),
        (lambda asked: asked.update(system=[{"type": "text", "text": asked["system"]}]), True),
        (lambda asked: asked.update(temperature=1.0, model="claude-3-5-sonnet-20241022"), True),
        (lambda asked: asked.pop("temperature"), True),
        (lambda asked: asked.pop("system"), False),
        (lambda asked: asked["messages"].pop(0), False),
        (lambda asked: asked.update(max_tokens=1024), False),
    ],
)
def test_a_conversation_reaches_the_second_provider_whole(
    change: Callable[[dict[str, Any]], object], *, passes: bool
) -> None:
    assert of_the_other(change).passed is passes


def spent_by_a_stream(stream: tuple[int, int] | None, beyond: int) -> Verdict:
    """Judge a service that was asked for a stream, which used these tokens, and at last for one more completion."""
    completion = json.dumps({"content": "Hello"})
    history = told(
        "budget",
        ("cheap", 200, completion, ID),
        ("spending stream", 200 if stream else 400, "", ID),
        ("spending", 200, completion, ID),
        ("beyond", beyond, completion, ID),
    )
    key = "ref-0b0b0b0b0b0b"
    events: list[Event] = [
        event.model_copy(update={"key": key if event.label == "spending stream" else f"{KEY}-{event.label}"})
        if isinstance(event, Request)
        else event
        for event in history.events[1:]
    ]
    if stream:
        events[:0] = [
            Call(call=1, upstream="openai", method="POST", path="/", connection=1, key=key),
            Reply(call=1, outcome="answered", status=200, usage=stream),
        ]
    began = Began(experiment="budget", seed=1, contract=assessment("assignment1").contract)
    return checks.daily_cost_limit(History([began, *events]))


def test_a_stream_spends_the_days_money_too() -> None:
    assert spent_by_a_stream((9000, 900), 402).passed
    assert spent_by_a_stream(None, 429).passed
    assert (
        spent_by_a_stream((9000, 900), 200).expected
        == "402 or 429 once the day's money is spent, a part of it by streams of gpt-4o"
    )
    assert spent_by_a_stream(None, 200).expected == "402 or 429 once the day's money is spent"


@pytest.mark.parametrize(
    ("reached", "after", "passes"), [(0, 429, True), (1, 429, True), (3, 200, True), (3, 429, False)]
)
def test_streams_count_for_the_limit_of_requests(reached: int, after: int, *, passes: bool) -> None:
    events: list[Event] = [
        Began(experiment="limits", seed=1, contract=assessment("assignment1").contract),
        Request(request=9, label="after the streams", method="POST", path="/x"),
        Answer(request=9, status=after, headers={}, body="{}", elapsed=0.1),
    ]
    for number in range(plan.STREAMS_BEYOND):
        key = f"ref-0a0a0a0a0a0{number}"
        events.append(Request(request=number, label="streams beyond", method="POST", path="/x", key=key))
        if number < reached:
            events.append(
                Call(call=number, upstream="openai", method="POST", path="/", connection=1, key=key)
            )
        events.append(Answer(request=number, status=200, headers={}, body="", elapsed=0.1))

    assert checks._streams_count(History(events)).passed is passes
