import pytest

from chaos.history import File, History
from exercises.exam.ex1_secure_configuration import checks
from tests.exam import CONTRACT
from tests.lab.story import Story

SECRET = "8c1f0d5a7b3e92466a0c4d1e5f7b8a9c0d2e4f6a8b1c3d5e"

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
        "   # at least 32 characters",
        "<at least 32 characters>",
        "TBD",
        "remplacez-moi-par-une-cle-de-32-caracteres",
        "dev-secret-key-do-not-use-in-production",
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
        ("AUTH_ADMIN_PASSWORD=change-me", "AUTH_ADMIN_PASSWORD=Exchange2024!"),
        ("AUTH_ADMIN_PASSWORD=change-me", "AUTH_ADMIN_PASSWORD=sunset-harbour-42"),
        ("AUTH_ADMIN_PASSWORD=change-me", "# AUTH_ADMIN_PASSWORD=hunter2"),
        ("JWT_SECRET_KEY=", f"# JWT_SECRET_KEY={SECRET}"),
        ("JWT_SECRET_KEY=", f"JWT_SECRET_KEY=${{KEY:-{SECRET}}}"),
        ("LITELLM_API_KEY=sk-1234", "GROQ_API_KEY=gsk_8c1f0d5a7b3e92466a0c4d1e"),
        ("LITELLM_API_KEY=sk-1234", "PROVIDER=sk-proj-8c1f0d5a7b3e92466a0c4d1e"),
        ("LITELLM_API_KEY=sk-1234", "STORE_URL=redis://app:8c1f0d5a7b3e92466a0c4d1e@redis:6379"),
    ],
)
def test_env_example_fails_a_usable_secret(line: str, replacement: str) -> None:
    text = ENV_EXAMPLE.replace(line, replacement)

    verdict = checks.env_example_is_complete(_env_example((".env.example", text)))

    assert verdict.status == "failed"
    assert replacement.partition("=")[0].lstrip("# ") in verdict.actual
    assert SECRET not in verdict.actual


def test_env_example_fails_where_there_is_none() -> None:
    assert checks.env_example_is_complete(_env_example()).status == "failed"


@pytest.mark.parametrize(
    "line", [f"JWT_SECRET_KEY=   # ours is {SECRET}", f"# last year's: {SECRET}", f"# JWT: '{SECRET}'"]
)
def test_env_example_fails_a_real_key_in_a_comment(line: str) -> None:
    text = ENV_EXAMPLE.replace("JWT_SECRET_KEY=", line if "=" in line else f"JWT_SECRET_KEY=\n{line}")

    verdict = checks.env_example_is_complete(_env_example((".env.example", text)))

    assert verdict.status == "failed"
    assert "comment" in verdict.actual
    assert SECRET not in verdict.actual


@pytest.mark.parametrize(
    "line",
    [
        "# see https://example.org/blob/9f41c07de2b85a6390d7e1f24b8c6a05e3d19b72/README.md",
        "# qdrant@sha256:9f41c07de2b85a6390d7e1f24b8c6a05e3d19b72",
        "# at least 32 characters: python -c 'import secrets; print(secrets.token_hex(32))'",
        "# JWT_LIFETIME=PT1H",
    ],
)
def test_env_example_passes_comments_that_hold_no_key(line: str) -> None:
    assert checks.env_example_is_complete(_env_example((".env.example", ENV_EXAMPLE + line))).passed


def test_env_example_may_name_a_variable_in_a_sentence() -> None:
    text = ENV_EXAMPLE.replace("JWT_SECRET_KEY=", "# JWT_SECRET_KEY has to be in the environment.")

    assert checks.env_example_is_complete(_env_example((".env.example", text))).passed


def test_env_example_fails_a_secret_in_any_of_several_files() -> None:
    other = f"JWT_SECRET_KEY={SECRET}\n"

    verdict = checks.env_example_is_complete(
        _env_example((".env.example", ENV_EXAMPLE), ("deploy/.env.example", other))
    )

    assert verdict.status == "failed"
    assert "deploy/.env.example" in verdict.actual
