from collections.abc import Mapping
from typing import Any

import pytest

from chaos.history import Answer, Event, Exited, File, History, Launched, Log, Planted, Ready
from exercises.exam.ex1_secure_configuration import checks, starts
from lab.verdict import Verdict
from tests.exam import CONTRACT
from tests.lab.story import Story

SECRET = "8c1f0d5a7b3e92466a0c4d1e5f7b8a9c0d2e4f6a8b1c3d5e"
PASSWORD = "1b2d3f4a5c6e7f8091a2b3c4d5e6f7089a1b2c3d4e5f6071"
ORIGIN = "https://chat-4f2a.example.org"
MISSING_KEY = starts.missing_key(CONTRACT)
SHORT_KEY = starts.short_key(CONTRACT)
MALFORMED_URLS = starts.malformed_urls(CONTRACT)
KEY_INSTANCES = (*starts.default_keys(CONTRACT), SHORT_KEY)


def _start(story: Story, instance: str, *events: Event, after: float = 1.0) -> None:
    """Tell that an instance was launched and what became of it."""
    story.add(Launched(instance=instance, command="uvicorn", cwd="/srv"))
    story.now += after
    for event in events:
        story.add(event.model_copy(update={"instance": instance}))


def _refusal(variable: str, *, code: int = 1, text: str = "{} is required") -> list[Event]:
    return [Log(stream="stderr", text=text.format(variable)), Exited(code=code)]


def _misconfigured(
    outcomes: Mapping[str, list[Event]] | None = None, *, after: float = 1.0, usual: float = 1.5
) -> History:
    """Tell of every instance that it refused to start, but for those in `outcomes`."""
    story = Story("misconfigured", started=False)
    story.now = usual
    story.add(Ready())
    story.add(Planted(name="JWT_SECRET_KEY", value=SECRET))
    variables = {
        MISSING_KEY: "JWT_SECRET_KEY",
        **dict.fromkeys(KEY_INSTANCES, "JWT_SECRET_KEY"),
        **MALFORMED_URLS,
    }
    for instance, variable in variables.items():
        _start(story, instance, *((outcomes or {}).get(instance) or _refusal(variable)), after=after)
    return story.end()


def _all_refused(history: History) -> list[Verdict]:
    return [
        checks.needs_its_key(history),
        checks.refuses_insecure_keys(history),
        checks.refuses_malformed_values(history),
    ]


def test_refusals_pass() -> None:
    for verdict in _all_refused(_misconfigured()):
        assert verdict.passed
        assert verdict.evidence


@pytest.mark.parametrize("code", [1, 3, 78, 255, -6])
def test_any_failing_exit_code_passes(code: int) -> None:
    refusal = _refusal("JWT_SECRET_KEY", code=code)

    assert checks.needs_its_key(_misconfigured({MISSING_KEY: refusal})).passed


@pytest.mark.parametrize(
    "text",
    ["KeyError: '{}'", "jwt_secret_key\n  Field required", "JWT secret key is not set", "jwt-secret-key?"],
)
def test_the_variable_may_be_named_in_the_service_s_own_words(text: str) -> None:
    refusal = _refusal("JWT_SECRET_KEY", text=text)

    assert checks.needs_its_key(_misconfigured({MISSING_KEY: refusal})).passed


BAD_STARTS = [
    ([Ready()], "it started and answered after 1.0 s"),
    ([*_refusal("JWT_SECRET_KEY")[:1], Ready(), Exited(code=1)], "it started"),
    ([Exited(code=-9, cause=checks.KILLED)], "neither exited nor answered"),
    ([], "neither exited nor answered"),
    (_refusal("JWT_SECRET_KEY", code=0), "exited with code 0"),
    ([Exited(code=1)], "does not name"),
    ([Log(stream="stderr", text="ValueError: bad settings"), Exited(code=1)], "does not name"),
    ([Log(stream="stderr", text="SECRET_KEY or JWT_SECRET missing"), Exited(code=1)], "does not name"),
    ([*_refusal("JWT_SECRET_KEY")[:1], Exited(code=-9, cause="printed too much")], "it printed too much"),
]


def _with_no_outcome(instance: str) -> History:
    return History(
        event
        for event in _misconfigured().events
        if getattr(event, "instance", None) != instance or isinstance(event, Launched)
    )


@pytest.mark.parametrize(("outcome", "actual"), BAD_STARTS)
def test_needs_its_key_fails(outcome: list[Event], actual: str) -> None:
    history = _misconfigured({MISSING_KEY: outcome}) if outcome else _with_no_outcome(MISSING_KEY)

    verdict = checks.needs_its_key(history)

    assert verdict.status == "failed"
    assert actual in verdict.actual
    assert verdict.evidence


@pytest.mark.parametrize("instance", KEY_INSTANCES)
def test_refuses_insecure_keys_fails_where_one_is_accepted(instance: str) -> None:
    verdict = checks.refuses_insecure_keys(_misconfigured({instance: [Ready()]}))

    assert verdict.status == "failed"
    assert instance in verdict.expected


@pytest.mark.parametrize("instance", MALFORMED_URLS)
def test_refuses_malformed_values_fails_where_one_is_accepted_or_not_named(instance: str) -> None:
    accepted: list[Event] = [Ready()]
    for outcome in (accepted, _refusal("JWT_SECRET_KEY")):
        verdict = checks.refuses_malformed_values(_misconfigured({instance: outcome}))

        assert verdict.status == "failed"
        assert MALFORMED_URLS[instance] in verdict.expected


def test_an_instance_that_was_not_started_is_not_judged() -> None:
    history = History(
        event for event in _misconfigured().events if getattr(event, "instance", None) != MISSING_KEY
    )

    verdict = checks.needs_its_key(history)

    assert (verdict.status, verdict.blame) == ("not judged", "harness")


def test_the_last_start_counts_where_the_port_was_lost_to_another_program() -> None:
    story = Story("misconfigured")
    _start(story, MISSING_KEY, Log(stream="stderr", text="address already in use"), Exited(code=1))
    _start(story, MISSING_KEY, *_refusal("JWT_SECRET_KEY"))

    assert checks.needs_its_key(story.end()).passed


def test_a_service_that_needs_long_to_start_has_longer_to_refuse() -> None:
    assert starts.patience(1.5) == 20
    assert starts.patience(15) == 30
    verdict = checks.needs_its_key(_misconfigured({MISSING_KEY: [Ready()]}, usual=15))
    assert "within 30 s" in verdict.expected


def _intruder(
    *,
    real: int = 200,
    forged: Mapping[str, int | None] | None = None,
    expired: bool = True,
    no_token: int = 401,
    path: str = "/auth/me",
) -> History:
    story = Story("intruder")
    story.answer(story.ask("real token", path="/auth/me", method="GET"), real)
    names = ["signed with another key", "algorithm none", *(["expired"] if expired else [])]
    statuses: dict[str, int | None] = {**dict.fromkeys(names, 401), **(forged or {})}
    for name, status in statuses.items():
        request = story.ask(f"forged: {name}", path=path, method="GET")
        if status is None:
            story.fail(request, "reset", after=0.1)
        else:
            story.answer(request, status)
    story.answer(story.ask("no token", path="/auth/me", method="GET"), no_token)
    return story.end()


@pytest.mark.parametrize("no_token", [401, 403])
def test_rejects_forged_tokens_passes(no_token: int) -> None:
    verdict = checks.rejects_forged_tokens(_intruder(no_token=no_token))

    assert verdict.passed
    assert verdict.actual == "3 forged tokens, all 401"


@pytest.mark.parametrize("path", ["/auth/me", "/llm/generate"])
@pytest.mark.parametrize("status", [200, 500, 403, 422, None])
def test_rejects_forged_tokens_fails_any_other_answer(status: int | None, path: str) -> None:
    verdict = checks.rejects_forged_tokens(_intruder(forged={"algorithm none": status}, path=path))

    assert verdict.status == "failed"
    assert path in verdict.expected
    assert "algorithm none" in verdict.expected


@pytest.mark.parametrize("status", [200, 500])
def test_rejects_forged_tokens_fails_an_open_door(status: int) -> None:
    assert checks.rejects_forged_tokens(_intruder(no_token=status)).status == "failed"


@pytest.mark.parametrize("status", [401, 404, 500])
def test_rejects_forged_tokens_fails_a_login_whose_token_does_not_work(status: int) -> None:
    assert checks.rejects_forged_tokens(_intruder(real=status)).status == "failed"


def test_rejects_forged_tokens_is_not_judged_without_an_expired_one() -> None:
    verdict = checks.rejects_forged_tokens(_intruder(expired=False))

    assert (verdict.status, verdict.blame) == ("not judged", "submission")


def test_rejects_forged_tokens_fails_first_where_it_could_not_be_judged_wholly() -> None:
    assert checks.rejects_forged_tokens(_intruder(expired=False, no_token=200)).status == "failed"


def test_rejects_forged_tokens_is_not_judged_behind_a_rate_limit() -> None:
    verdict = checks.rejects_forged_tokens(_intruder(forged={"algorithm none": 429}))

    assert (verdict.status, verdict.blame) == ("not judged", "submission")


NOTHING: dict[str, str] = {}
GRANTED = {"access-control-allow-origin": ORIGIN, "access-control-allow-credentials": "true"}
ORIGINS = {"configured": ORIGIN, "foreign": "https://evil.example", "null": "null"}


def _origins(answers: Mapping[str, dict[str, str]], *, status: int = 200, preflight: int = 200) -> History:
    story = Story("intruder")
    for name, origin in ORIGINS.items():
        default = GRANTED if name == "configured" else NOTHING
        headers = {key: value.format(origin=origin) for key, value in answers.get(name, default).items()}
        request = story.ask(f"origin: {name}", path="/health", method="GET", headers={"origin": origin})
        story.answer(request, status, headers=headers)
        request = story.ask(f"preflight: {name}", method="OPTIONS", headers={"origin": origin})
        story.answer(request, preflight if name == "configured" else 400, headers=headers)
    return story.end()


@pytest.mark.parametrize(
    "answers",
    [
        {},
        {"foreign": GRANTED, "null": GRANTED},
        {name: {"access-control-allow-origin": "*"} for name in ORIGINS},
        {"foreign": {"access-control-allow-credentials": "true"}},
    ],
    ids=["allow-list", "one origin for all", "public, without credentials", "credentials alone"],
)
def test_cors_passes(answers: Mapping[str, dict[str, str]]) -> None:
    assert checks.cors_is_an_allow_list(_origins(answers)).passed


@pytest.mark.parametrize("preflight", [200, 204])
def test_cors_passes_any_good_preflight(preflight: int) -> None:
    assert checks.cors_is_an_allow_list(_origins({}, preflight=preflight)).passed


REFLECTED = {"access-control-allow-origin": "{origin}"}


@pytest.mark.parametrize(
    ("answers", "actual"),
    [
        ({"foreign": REFLECTED}, "repeats https://evil.example"),
        ({"null": REFLECTED}, "repeats null"),
        ({"foreign": {**GRANTED, "access-control-allow-origin": "*"}}, "with credentials"),
        ({"configured": NOTHING}, "no such header"),
        ({"configured": {"access-control-allow-origin": "http://localhost:3000"}}, "localhost"),
    ],
)
def test_cors_fails(answers: Mapping[str, dict[str, str]], actual: str) -> None:
    verdict = checks.cors_is_an_allow_list(_origins(answers))

    assert verdict.status == "failed"
    assert actual in verdict.actual
    assert verdict.evidence


def test_cors_fails_a_preflight_that_is_refused() -> None:
    verdict = checks.cors_is_an_allow_list(_origins({}, preflight=405))

    assert verdict.status == "failed"
    assert "405" in verdict.actual


def _look(*, body: str = "{}", headers: dict[str, str] | None = None, line: str = "ready") -> History:
    story = Story("intruder")
    story.add(Planted(name="JWT_SECRET_KEY", value=SECRET))
    story.add(Planted(name="AUTH_ADMIN_PASSWORD", value=PASSWORD))
    story.log(line)
    story.answer(story.ask("look", path="/debug", method="GET"), 422, body=body, headers=headers)
    return story.end()


def test_shows_secrets_nowhere_passes() -> None:
    assert checks.shows_secrets_nowhere(_look(), _misconfigured()).passed


@pytest.mark.parametrize(
    ("story", "actual"),
    [
        ({"body": f'{{"input": "{PASSWORD}"}}'}, "AUTH_ADMIN_PASSWORD shows in an answer 422"),
        ({"headers": {"x-debug": SECRET}}, "JWT_SECRET_KEY shows in an answer 422"),
        ({"line": f"password={PASSWORD}"}, "AUTH_ADMIN_PASSWORD shows in a line of stdout (service)"),
    ],
)
def test_shows_secrets_nowhere_fails(story: dict[str, Any], actual: str) -> None:
    verdict = checks.shows_secrets_nowhere(_look(**story), _misconfigured())

    assert verdict.status == "failed"
    assert verdict.actual == actual
    assert isinstance(verdict.evidence[0], Answer | Log)


def test_shows_secrets_nowhere_fails_a_refusal_that_quotes_the_key() -> None:
    quote = f"input_value='{SECRET[:31]}'"
    refusal = _refusal("JWT_SECRET_KEY", text=f"{{}} {quote}")

    verdict = checks.shows_secrets_nowhere(_look(), _misconfigured({SHORT_KEY: refusal}))

    assert verdict.status == "failed"
    assert SHORT_KEY in verdict.actual


ENV_EXAMPLE = """\
JWT_SECRET_KEY=
AUTH_ADMIN_PASSWORD=change-me
AUTH_USER_PASSWORD=<password>
CORS_ORIGINS=["http://localhost:3000"]
LITELLM_URL=http://localhost:4000
# QDRANT_URL=http://localhost:6333
MLFLOW_TRACKING_URI=http://localhost:5000
LITELLM_API_KEY=sk-1234
MAX_TOKENS=100000000000000000000000
"""


def _env_example(*files: tuple[str, str]) -> History:
    story = Story("intruder")
    for path, text in files:
        story.add(File(path=path, text=text))
    return story.end()


@pytest.mark.parametrize(
    "key",
    [
        "",
        "your-secret-key-change-in-production",
        "<generate with: openssl rand -hex 32>",
        "${JWT_SECRET_KEY:?}",
        "x" * 40,
        "short",
    ],
)
def test_env_example_passes(key: str) -> None:
    text = ENV_EXAMPLE.replace("JWT_SECRET_KEY=", f"JWT_SECRET_KEY={key}")

    verdict = checks.env_example_is_complete(_env_example((".env.example", text)))

    assert verdict.passed


def test_env_example_may_lie_in_a_folder() -> None:
    assert checks.env_example_is_complete(_env_example(("src/api/.env.example", ENV_EXAMPLE))).passed


@pytest.mark.parametrize("variable", CONTRACT.required)
def test_env_example_fails_where_a_variable_is_not_named(variable: str) -> None:
    text = ENV_EXAMPLE.replace(variable, "OTHER")

    verdict = checks.env_example_is_complete(_env_example((".env.example", text)))

    assert verdict.status == "failed"
    assert variable in verdict.actual


@pytest.mark.parametrize(
    ("line", "replacement"),
    [
        ("JWT_SECRET_KEY=", f"JWT_SECRET_KEY={SECRET}"),
        ("AUTH_ADMIN_PASSWORD=change-me", "AUTH_ADMIN_PASSWORD=admin123"),
        ("LITELLM_API_KEY=sk-1234", "GROQ_API_KEY=gsk_8c1f0d5a7b3e92466a0c4d1e"),
    ],
)
def test_env_example_fails_a_usable_secret(line: str, replacement: str) -> None:
    text = ENV_EXAMPLE.replace(line, replacement)

    verdict = checks.env_example_is_complete(_env_example((".env.example", text)))

    assert verdict.status == "failed"
    assert replacement.partition("=")[0] in verdict.actual
    assert SECRET not in verdict.actual


def test_env_example_fails_where_there_is_none() -> None:
    assert checks.env_example_is_complete(_env_example()).status == "failed"
