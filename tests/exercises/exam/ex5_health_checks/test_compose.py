import pytest

from exercises.exam.ex5_health_checks.compose import has_health_check

CHECK = "    healthcheck:\n      test: {test}\n      interval: 10s\n"


def _compose(health_check: str, *, name: str = "api") -> str:
    return f"services:\n  qdrant:\n    image: qdrant/qdrant\n  {name}:\n    build: .\n{health_check}"


@pytest.mark.parametrize(
    "test",
    [
        '["CMD", "curl", "-f", "http://localhost:8000/health"]',
        '["CMD-SHELL", "curl -f http://localhost:8000/health || exit 1"]',
        "curl -f http://localhost:8000/health",
    ],
)
@pytest.mark.parametrize("name", ["api", "llm-api"])
def test_finds_a_health_check(test: str, name: str) -> None:
    assert has_health_check(_compose(CHECK.format(test=test), name=name)) is True


@pytest.mark.parametrize(
    "health_check",
    [
        "",
        CHECK.format(test='["NONE"]'),
        CHECK.format(test='["CMD"]'),
        CHECK.format(test='""'),
        "    healthcheck:\n      disable: true\n      test: curl localhost\n",
        "    healthcheck:\n      interval: 10s\n",
        "    healthcheck:\n",
    ],
)
def test_finds_none(health_check: str) -> None:
    assert has_health_check(_compose(health_check)) is False


def test_the_health_check_of_another_service_does_not_count() -> None:
    text = _compose("").replace("    image", CHECK.format(test="curl localhost") + "    image")

    assert has_health_check(text) is False


@pytest.mark.parametrize(
    "text", ["", "services:\n", "services: [api]\n", "services:\n  web:\n    image: x\n", "- a\n"]
)
def test_says_where_there_is_no_api(text: str) -> None:
    assert has_health_check(text) is None


def test_knows_anchors_and_compose_s_own_tags() -> None:
    text = """\
x-check: &check
  test: curl -f http://localhost/health
services:
  api:
    ports: !reset []
    environment: !override {A: b}
    command: !reset null
    healthcheck:
      <<: *check
"""
    assert has_health_check(text) is True


@pytest.mark.parametrize("text", ["services: [", "a: b: c", "\tservices:"])
def test_says_what_is_no_yaml(text: str) -> None:
    with pytest.raises(ValueError, match="YAML"):
        has_health_check(text)
