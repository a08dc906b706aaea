import pytest

from exercises.exam.ex5_health_checks import compose
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
        "test $(curl -s -o /dev/null -w '%{http_code}' http://localhost:8000/health) = 200",
        "cat < /dev/tcp/localhost/8000",
        "pgrep -f uvicorn && curl -f http://localhost:8000/health",
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


@pytest.mark.parametrize(
    "test",
    [
        "'true'",
        '["CMD", "true"]',
        '["CMD", "/bin/true"]',
        '["CMD-SHELL", "exit 0"]',
        '["CMD", "sh", "-c", "exit 0"]',
        "echo ok",
        '["CMD", "pgrep", "-f", "uvicorn"]',
        "ps aux | grep -q uvicorn || exit 1",
        "test -f /tmp/ready",
        "'[ -e /tmp/ready ] || exit 1'",
        '["CMD", "kill", "-0", "1"]',
        '["CMD-SHELL", "curl -f http://localhost:8000/health || true"]',
        '["CMD-SHELL", "curl -f http://localhost:8000/health || exit 0"]',
        '["CMD-SHELL", "curl -f http://localhost:8000/health | true"]',
        "curl http://localhost:8000/health; exit 0",
    ],
)
def test_a_command_that_asks_nobody_is_none(test: str) -> None:
    assert has_health_check(_compose(CHECK.format(test=test))) is False


def test_the_first_word_of_a_list_is_its_kind() -> None:
    text = _compose(CHECK.format(test='["curl", "-f", "http://localhost:8000/health"]'))

    assert compose.missing("compose.yaml", {"compose.yaml": text}) == compose.NO_KIND


BASE = "services:\n  base:\n    healthcheck:\n      test: curl -f http://localhost:8000/health\n"


@pytest.mark.parametrize(
    "files",
    [
        {"compose.yaml": BASE + "  api:\n    extends: base\n"},
        {"compose.yaml": BASE + "  api:\n    extends: {service: base}\n    healthcheck: {start_period: 20s}\n"},
        {
            "compose.yaml": "services:\n  api:\n    extends: {file: docker/base.yml, service: base}\n",
            "docker/base.yml": BASE,
        },
        {
            "compose.yaml": "include: [docker/api.yml]\nservices: {}\n",
            "docker/api.yml": BASE.replace("base", "api"),
        },
        {
            "docker-compose.yml": "services:\n  api:\n    build: .\n",
            "docker-compose.override.yml": BASE.replace("base", "api"),
        },
        {"docker-compose.yml": "services:\n  api:\n    build: src/api\n", "src/api/Dockerfile": "FROM a\nHEALTHCHECK --interval=5s CMD curl -f localhost\n"},
        {"docker-compose.yml": "services:\n  api:\n    build: {context: ., dockerfile: src/api/Dockerfile}\n", "src/api/Dockerfile": 'FROM a AS b\nHEALTHCHECK \\\n  CMD ["curl", "localhost"]\nFROM b\n'},
    ],
    ids=["extends", "extends and adds", "extends another file", "includes", "override", "Dockerfile", "a stage's base"],
)  # fmt: skip
def test_puts_together_what_compose_does(files: dict[str, str]) -> None:
    [first, *_] = compose.projects(files)

    assert compose.missing(first, files) is None


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({"compose.yaml": BASE + "  api:\n    extends: base\n    healthcheck: {disable: true}\n"}, compose.DISABLED),
        ({"compose.yaml": BASE + "  api:\n    extends: other\n"}, compose.NONE),
        ({"compose.yaml": "services:\n  api:\n    extends: api\n"}, compose.NONE),
        (
            {"compose.yaml": BASE.replace("base", "api"), "compose.override.yaml": "services: {api: {healthcheck: {disable: true}}}"},
            compose.DISABLED,
        ),
        ({"compose.yaml": "services: {api: {build: .}}", "Dockerfile": "FROM a\nHEALTHCHECK NONE\n"}, compose.NONE),
        ({"compose.yaml": "services: {api: {build: .}}", "Dockerfile": "FROM a\nHEALTHCHECK CMD x\nFROM b\n"}, compose.NONE),
        ({"compose.yaml": "services: {api: {build: .}}", "docker/Dockerfile": "FROM a\nHEALTHCHECK CMD x\n"}, compose.NONE),
        ({"compose.yaml": "services: {api: {build: ., healthcheck: {test: [NONE]}}}", "Dockerfile": "FROM a\nHEALTHCHECK CMD x\n"}, compose.DISABLED),
    ],
    ids=["disabled", "extends nothing", "extends itself", "override disables", "Dockerfile's NONE", "an earlier stage", "another Dockerfile", "switched off"],
)  # fmt: skip
def test_says_what_is_missing(files: dict[str, str], problem: str) -> None:
    assert compose.missing("compose.yaml", files) == problem
