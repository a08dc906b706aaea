from collections.abc import Mapping

import pytest

from chaos.history import History
from exercises.exam.ex1_secure_configuration import axes, checks
from tests.lab.story import Story

CONFIGURED = ("https://chat-4f2a.example.org", "http://console-77c1.example.net:4711")
FOREIGN = {"foreign": "https://evil.example", "null": "null"}
NOTHING: dict[str, str] = {}
GRANTED = {
    "access-control-allow-origin": "{origin}",
    "access-control-allow-credentials": "true",
    "access-control-allow-methods": "GET, POST, DELETE",
    "access-control-allow-headers": "Accept, Authorization, Content-Type",
}
ASKED = {"access-control-request-headers": "authorization,content-type"}
PUBLIC = {"access-control-allow-origin": "*", "access-control-allow-headers": "*"}
REFLECTED = {"access-control-allow-origin": "{origin}"}


def _without(name: str, value: str | None = None) -> dict[str, str]:
    kept = {key: one for key, one in GRANTED.items() if not key.endswith(name)}
    return kept | ({f"access-control-{name}": value} if value else {})


def _origins(
    answers: Mapping[str, dict[str, str]],
    *,
    status: int = 200,
    preflight: int = 200,
    method: str = "POST",
) -> History:
    story = Story("exposed")
    asked = [*((axes.CONFIGURED, one) for one in CONFIGURED), *FOREIGN.items()]
    for name, origin in asked:
        default = GRANTED if name == axes.CONFIGURED else NOTHING
        headers = {key: value.format(origin=origin) for key, value in answers.get(name, default).items()}
        request = story.ask(f"origin: {name}", path="/health", method="GET", headers={"origin": origin})
        story.answer(request, status, headers=headers)
        if preflight:
            wanted = {"origin": origin, "access-control-request-method": method, **ASKED}
            request = story.ask(f"preflight: {name}", method="OPTIONS", headers=wanted)
            story.answer(request, preflight if name == axes.CONFIGURED else 400, headers=headers)
    return story.end()


@pytest.mark.parametrize(
    "answers",
    [
        {},
        {"foreign": _without("allow-origin", CONFIGURED[0])},
        dict.fromkeys((axes.CONFIGURED, *FOREIGN), PUBLIC),
        {"foreign": {"access-control-allow-credentials": "true"}},
        {axes.CONFIGURED: _without("allow-methods")},
    ],
    ids=["allow-list", "one origin for all", "public, no credentials", "credentials alone", "POST is safe"],
)
def test_cors_passes(answers: Mapping[str, dict[str, str]]) -> None:
    assert checks.cors_is_an_allow_list(_origins(answers)).passed


@pytest.mark.parametrize("preflight", [200, 204])
def test_cors_passes_any_good_preflight(preflight: int) -> None:
    assert checks.cors_is_an_allow_list(_origins({}, preflight=preflight)).passed


def test_cors_asks_for_no_preflight_of_an_endpoint_that_is_not_there() -> None:
    story = Story("exposed")
    for status in (405, 404):
        for origin in CONFIGURED:
            headers = {"origin": origin}
            story.answer(
                story.ask("origin: configured", path="/llm/cache/clear", method="DELETE", headers=headers),
                status,
            )
            headers |= {"access-control-request-method": "DELETE", **ASKED}
            story.answer(
                story.ask(
                    "preflight: configured", path="/llm/cache/clear", method="OPTIONS", headers=headers
                ),
                status,
            )

    assert checks.cors_is_an_allow_list(story.end()).passed


def test_cors_does_not_judge_the_headers_of_an_error() -> None:
    history = _origins({axes.CONFIGURED: NOTHING}, status=500, preflight=0)

    assert checks.cors_is_an_allow_list(history).passed


@pytest.mark.parametrize(
    ("answers", "actual"),
    [
        ({"foreign": REFLECTED}, "repeats https://evil.example"),
        ({"null": REFLECTED}, "repeats null"),
        ({"foreign": _without("allow-origin", "*")}, "with credentials"),
        ({axes.CONFIGURED: NOTHING}, "there is no access-control-allow-origin"),
        ({axes.CONFIGURED: {"access-control-allow-origin": "http://localhost:3000"}}, "localhost"),
        ({axes.CONFIGURED: _without("allow-origin", CONFIGURED[0])}, CONFIGURED[0]),
        ({axes.CONFIGURED: _without("allow-headers")}, "does not allow it"),
        ({axes.CONFIGURED: _without("allow-headers", "Content-Type")}, "does not allow it"),
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


def test_cors_fails_a_preflight_that_does_not_allow_the_method() -> None:
    answers = {axes.CONFIGURED: _without("allow-methods", "GET, POST")}

    verdict = checks.cors_is_an_allow_list(_origins(answers, method="DELETE"))

    assert verdict.status == "failed"
    assert "the method DELETE" in verdict.expected


def test_foreign_origins_all_differ_from_what_is_configured() -> None:
    made = axes.foreign_origins(CONFIGURED)

    assert set(made) == set(axes.FOREIGN.values)
    assert not set(CONFIGURED) & set(made.values())
    assert len(set(made.values())) == len(made)
    assert made["any character for a dot"] == "https://chat-4f2axexample.org"
    assert made["more digits in the port"] == "http://console-77c1.example.net:47110"
