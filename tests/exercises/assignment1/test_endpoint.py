from chaos.history import Answer, Began, Event, History, Request
from chaos.keys import expected_answer
from exercises.assignment1 import plan
from exercises.assignment1.part5_endpoint import checks
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
