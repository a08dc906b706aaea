from collections.abc import Mapping
from typing import Any

import pytest

from chaos.history import Answer, Call, History, Log, Planted
from exercises.exam.ex1_secure_configuration import checks
from exercises.exam.ex1_secure_configuration.forgeries import EXPIRED
from lab import tokens
from tests.lab.story import Story

SECRET = "8c1f0d5a7b3e92466a0c4d1e5f7b8a9c0d2e4f6a8b1c3d5e"
PASSWORD = "1b2d3f4a5c6e7f8091a2b3c4d5e6f7089a1b2c3d4e5f6071"
PLACES = {
    "who one is": ("GET", "/auth/me"),
    "the model": ("POST", "/llm/generate"),
    "the cache's numbers": ("GET", "/llm/cache/stats"),
    "emptying the cache": ("DELETE", "/llm/cache/clear"),
}
REAL = {"real token": 200, "real token: user": 200, "real token: the cache's numbers": 200}


def _intruder(
    *,
    real: Mapping[str, int] | None = None,
    forged: Mapping[str, int | None] | None = None,
    expired: bool = True,
    no_token: int = 401,
    place: str = "who one is",
    called: bool = False,
) -> History:
    """Tell of real, forged and missing tokens; what differs from the rule happens at one place."""
    story = Story("exposed")
    for label, status in {**REAL, **(real or {})}.items():
        method, path = PLACES.get(label.removeprefix("real token: "), PLACES["who one is"])
        story.answer(story.ask(label, path=path, method=method), status)
    for name in ("signed with another key", "algorithm none", *([EXPIRED] if expired else [])):
        for asked, (method, path) in PLACES.items():
            request = story.ask(f"forged: {name}", path=path, method=method)
            if called and path == "/llm/generate":
                story.call(request)
            answered = (forged or {}).get(name, 401) if asked == place else 401
            if answered is None:
                story.fail(request, "reset", after=0.1)
            else:
                story.answer(request, answered)
    for asked, (method, path) in PLACES.items():
        request = story.ask("no token: Basic", path=path, method=method)
        story.answer(request, no_token if asked == place else 401)
    return story.end()


@pytest.mark.parametrize("no_token", [401, 403])
def test_rejects_forged_tokens_passes(no_token: int) -> None:
    verdict = checks.rejects_forged_tokens(_intruder(no_token=no_token))

    assert verdict.passed
    assert verdict.actual == "16 requests of 4 kinds to 4 endpoints turned away"


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("status", [200, 500, 403, 422, None])
def test_rejects_forged_tokens_fails_any_other_answer(status: int | None, place: str) -> None:
    verdict = checks.rejects_forged_tokens(_intruder(forged={"algorithm none": status}, place=place))

    assert verdict.status == "failed"
    assert PLACES[place][1] in verdict.expected
    assert "algorithm none" in verdict.expected


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("status", [200, 500, 400, 422])
def test_rejects_forged_tokens_fails_an_open_door(status: int, place: str) -> None:
    verdict = checks.rejects_forged_tokens(_intruder(no_token=status, place=place))

    assert verdict.status == "failed"
    assert "401 or 403" in verdict.expected


@pytest.mark.parametrize("label", ["real token", "real token: user"])
@pytest.mark.parametrize("status", [401, 404, 500])
def test_rejects_forged_tokens_fails_a_login_whose_token_does_not_work(label: str, status: int) -> None:
    assert checks.rejects_forged_tokens(_intruder(real={label: status})).status == "failed"


@pytest.mark.parametrize(
    ("status", "expected"), [(404, "passed"), (405, "passed"), (200, "failed"), (500, "failed")]
)
def test_an_endpoint_that_is_not_there_is_no_open_door(status: int, expected: str) -> None:
    history = _intruder(
        real={"real token: the cache's numbers": status}, no_token=404, place="the cache's numbers"
    )

    assert checks.rejects_forged_tokens(history).status == expected


def test_a_real_token_that_an_endpoint_takes_for_forged_fails() -> None:
    history = _intruder(real={"real token: the cache's numbers": 401})

    assert checks.rejects_forged_tokens(history).status == "failed"


@pytest.mark.parametrize(
    ("status", "expected"), [(200, "failed"), (201, "failed"), (401, "passed"), (429, "passed")]
)
def test_a_wrong_login_that_gets_a_token_fails(status: int, expected: str) -> None:
    story = Story("exposed")
    for label in ("real token", "real token: user"):
        story.answer(story.ask(label, path="/auth/me", method="GET"))
    story.answer(story.ask(f"forged: {EXPIRED}", path="/auth/me", method="GET"), 401)
    story.answer(story.ask("wrong login: a password with a slip", path="/auth/login"), status)

    assert checks.rejects_forged_tokens(story.end()).status == expected


def test_a_forged_token_that_is_refused_after_the_model_was_called_fails() -> None:
    verdict = checks.rejects_forged_tokens(_intruder(called=True))

    assert verdict.status == "failed"
    assert "the model was called" in verdict.actual


def test_rejects_forged_tokens_is_not_judged_without_an_expired_one() -> None:
    verdict = checks.rejects_forged_tokens(_intruder(expired=False))

    assert (verdict.status, verdict.blame) == ("not judged", "submission")


def test_rejects_forged_tokens_fails_first_where_it_could_not_be_judged_wholly() -> None:
    assert checks.rejects_forged_tokens(_intruder(expired=False, no_token=200)).status == "failed"


def test_rejects_forged_tokens_is_not_judged_behind_a_rate_limit() -> None:
    verdict = checks.rejects_forged_tokens(_intruder(forged={"algorithm none": 429}))

    assert (verdict.status, verdict.blame) == ("not judged", "submission")


def _look(
    *,
    body: str = "{}",
    headers: dict[str, str] | None = None,
    line: str = "ready",
    instance: str = "service",
    asked: str = "",
) -> History:
    story = Story("exposed")
    story.add(Planted(name="JWT_SECRET_KEY", value=SECRET))
    story.add(Planted(name="AUTH_ADMIN_PASSWORD", value=PASSWORD))
    story.add(Log(stream="stdout", text=line, instance=instance))
    story.add(Call(call=99, upstream="litellm", method="POST", path="/", connection=1, asked=asked))
    story.answer(story.ask("look", path="/debug", method="GET"), 422, body=body, headers=headers)
    return story.end()


def test_shows_secrets_nowhere_passes() -> None:
    assert checks.shows_secrets_nowhere(_look(), [_look()]).passed


LEAKS = [
    ({"body": f'{{"input": "{PASSWORD}"}}'}, "AUTH_ADMIN_PASSWORD appears in a 422 answer"),
    ({"body": f"the key is {SECRET[20:32]}"}, "JWT_SECRET_KEY appears in a 422 answer"),
    ({"body": tokens.signed({"p": PASSWORD}, "k")}, "AUTH_ADMIN_PASSWORD appears in a 422 answer"),
    ({"headers": {"x-debug": SECRET}}, "JWT_SECRET_KEY appears in a 422 answer"),
    ({"line": f"password={PASSWORD}"}, "AUTH_ADMIN_PASSWORD appears in a line of stdout (service)"),
    ({"line": f"PASSWORD={PASSWORD.upper()}"}, "AUTH_ADMIN_PASSWORD appears in a line of stdout (service)"),
    ({"line": SECRET[:31], "instance": "short"}, "JWT_SECRET_KEY appears in a line of stdout (short)"),
    ({"asked": f'{{"user": "{PASSWORD}"}}'}, "AUTH_ADMIN_PASSWORD appears in a request to litellm"),
]


@pytest.mark.parametrize(("story", "actual"), LEAKS)
def test_shows_secrets_nowhere_fails(story: dict[str, Any], actual: str) -> None:
    verdict = checks.shows_secrets_nowhere(_look(**story), [])

    assert verdict.status == "failed"
    assert verdict.actual == actual
    assert isinstance(verdict.evidence[0], Answer | Log | Call)


@pytest.mark.parametrize(("story", "actual"), LEAKS)
def test_shows_secrets_nowhere_fails_wherever_in_the_run(story: dict[str, Any], actual: str) -> None:
    own = _look()

    verdict = checks.shows_secrets_nowhere(own, [own, _look(**story)])

    assert verdict.status == "failed"
    assert verdict.actual == actual
