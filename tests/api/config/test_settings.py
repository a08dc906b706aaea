import json
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from api.config.env_validator import describe, load_settings
from api.services.callers import Permission
from tests.api.support import read_settings

REQUIRED = [
    "JWT_SECRET_KEY",
    "AUTH_ADMIN_PASSWORD",
    "AUTH_USER_PASSWORD",
    "LITELLM_URL",
    "QDRANT_URL",
    "MLFLOW_TRACKING_URI",
]


@pytest.fixture(autouse=True)
def environment(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def problems() -> dict[str, str]:
    with pytest.raises(ValidationError) as raised:
        read_settings()
    return dict(describe(raised.value))


def test_reads_the_environment() -> None:
    settings = read_settings()
    assert settings.cors_origins == ["https://app.example.org"]
    assert settings.llm_deadline == 20


@pytest.mark.parametrize("name", REQUIRED)
def test_required(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(name)
    assert problems() == {name: "is required and not set"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("JWT_SECRET_KEY", ""),
        ("JWT_SECRET_KEY", "q8Zt3vLw0Xn5Rb7Kd2Hf9Jm4Pc6Sg1T"),
        ("JWT_SECRET_KEY", "your-super-secret-jwt-key-change-in-production"),
        ("JWT_SECRET_KEY", "change-me-change-me-change-me-change-me"),
        ("JWT_SECRET_KEY", "this-is-the-secret-key-of-our-service"),
        ("JWT_SECRET_KEY", "secret" * 6),
        ("JWT_SECRET_KEY", "secret".ljust(32, "0")),
        ("JWT_SECRET_KEY", "Secret12345678901234567890123456"),
        ("JWT_SECRET_KEY", "abcdefghijklmnopqrstuvwxyz-SECRET"),
        ("JWT_SECRET_KEY", "CHANGEME-0123456789-abcdef-0123456789"),
        ("JWT_SECRET_KEY", "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7"),
        ("JWT_SECRET_KEY", "0123456789abcdef0123456789abcdef"),
        ("JWT_SECRET_KEY", "a" * 64),
        ("AUTH_ADMIN_PASSWORD", ""),
        ("AUTH_USER_PASSWORD", "password123"),
        ("LITELLM_URL", "canary-no-url"),
        ("LITELLM_URL", "ftp://example.org"),
        ("QDRANT_URL", "http://"),
        ("MLFLOW_TRACKING_URI", "http://example.org/?canary=1"),
        ("CORS_ORIGINS", '["*"]'),
        ("CORS_ORIGINS", '["https://*.example.org"]'),
        ("CORS_ORIGINS", "https://canary.example.org"),
        ("CORS_ORIGINS", '["null"]'),
        ("CORS_ORIGINS", '["https://example.org/canary"]'),
        ("LLM_DEADLINE", "canary"),
        ("LOG_LEVEL", "canary"),
        ("REDIS_URL", "canary"),
        ("REDIS_URL", "redis://:password-canary@"),
        ("REDIS_URL", "redis://redis:canary"),
        ("REDIS_URL", "redis://redis?socket_timeout=canary"),
        ("RATE_LIMITS", '{"canary": "10/minute"}'),
        ("TOKEN_LIMITS", '{"free": "canary"}'),
        ("DAILY_BUDGETS", '{"free": "canary"}'),
        ("MODEL_ROUTES", "canary"),
        ("MODEL_ROUTES", '[{"model": "small", "canary": 1}]'),
        ("MODEL_ROUTES", '[{"tier": "free"}]'),
        ("MODEL_VARIANTS", '{"canary": {}}'),
        ("MODEL_VARIANTS", '{"chat": {"canary": 0}}'),
        ("CONTENT_FILTERS", "canary"),
        ("CONTENT_FILTERS", '["canary"]'),
        ("CONTENT_FILTERS", "1"),
    ],
)
def test_refused_by_name_and_without_the_value(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    found = problems()
    assert {key.partition(".")[0] for key in found} == {name}
    assert "canary" not in json.dumps(found)
    assert not value or value not in json.dumps(found)


@pytest.mark.parametrize(
    "secret", ["f3a9c1d70b8e264a57d1c93ef06a84b2", "jwt-secret-key-7f3a9c1d70b8e264a57d1c9"]
)
def test_accepts_random_secrets(secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_SECRET_KEY", secret)
    assert read_settings().jwt_secret_key.get_secret_value() == secret


def test_an_empty_variable_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_LEVEL", "")
    monkeypatch.setenv("AUTH_USER_PASSWORD", "")

    assert problems() == {"AUTH_USER_PASSWORD": "is required and not set"}


def test_a_secret_comes_from_its_file_where_the_environment_has_none(
    tmp_path: Path, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "auth_admin_password").write_text("of-a-file-only\n")
    (tmp_path / "auth_user_password").write_text("of-a-file-that-nobody-asked\n")
    monkeypatch.setenv("AUTH_ADMIN_PASSWORD", "")

    settings = load_settings(tmp_path)

    assert settings.auth_admin_password == SecretStr("of-a-file-only")
    assert settings.auth_user_password == SecretStr(variables["AUTH_USER_PASSWORD"])


def test_a_weak_secret_of_a_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "jwt_secret_key").write_text("canary")
    monkeypatch.setenv("JWT_SECRET_KEY", "")

    with pytest.raises(SystemExit):
        load_settings(tmp_path)

    assert "JWT_SECRET_KEY" in capsys.readouterr().out


USER = {
    "username": "ada",
    "password": "canary-of-ada",
    "tier": "free",
    "permissions": ["chat", "admin"],
}


def name_users(monkeypatch: pytest.MonkeyPatch, *users: object) -> None:
    """An environment with BOOTSTRAP_USERS, and without what the exam alone requires."""
    monkeypatch.setenv("BOOTSTRAP_USERS", json.dumps(users))
    for name in set(REQUIRED) - {"JWT_SECRET_KEY", "LITELLM_URL"}:
        monkeypatch.delenv(name)


def test_named_users_stand_in_for_the_exam_s_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    name_users(monkeypatch, USER)
    settings = read_settings()
    assert settings.bootstrap_users is not None
    (ada,) = settings.bootstrap_users
    assert ada.model_dump(mode="json", include={"username", "tier"}) == {"username": "ada", "tier": "free"}
    assert ada.permissions == {Permission.CHAT, Permission.ADMIN}
    assert "canary-of-ada" in settings.secrets
    assert "canary" not in repr(settings) + settings.model_dump_json()


@pytest.mark.parametrize(
    ("users", "problem"),
    [
        ("canary", "must be a JSON list of users"),
        ({"username": "canary"}, "must be a JSON list of users"),
        (["canary"], "entry 1: "),
        ([{**USER, "password": "canary"}], "entry 1: password "),
        ([{**USER, "username": "can\nary"}], "entry 1: username "),
        ([USER, {**USER, "username": "bob", "tier": "canary"}], "entry 2: tier "),
        ([{**USER, "permissions": ["chat", "canary"]}], "entry 1: permissions "),
        ([{name: USER[name] for name in USER if name != "tier"}], "entry 1: tier is required and not set"),
        ([USER, USER], "has a user name twice"),
        ([{**USER, "permissions": ["chat"]}], "must have a user with the permission admin"),
        ([], "must have a user with the permission admin"),
    ],
)
def test_wrong_users_are_refused_without_the_value(
    users: object, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name_users(monkeypatch)
    monkeypatch.setenv("BOOTSTRAP_USERS", users if isinstance(users, str) else json.dumps(users))
    found = problems()
    assert set(found) == {"BOOTSTRAP_USERS"}
    assert found["BOOTSTRAP_USERS"].startswith(problem)
    assert "canary" not in found["BOOTSTRAP_USERS"]


def test_the_backend_has_two_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LITELLM_URL")
    monkeypatch.setenv("BACKEND_URL", "http://backend.example.org/")
    assert read_settings().litellm_url == "http://backend.example.org"


@pytest.mark.parametrize("url", ["mysql://db/canary", "canary", "postgresql://", "postgresql://[canary"])
def test_a_database_of_another_kind_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    found = problems()
    assert set(found) == {"DATABASE_URL"}
    assert "canary" not in found["DATABASE_URL"]


def test_the_database_s_password_is_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://api:long%2Dpassword@db/api")
    assert {"long-password", "postgresql://api:long%2Dpassword@db/api"} < set(read_settings().secrets)
    monkeypatch.setenv("DATABASE_URL", "postgresql://api:api@db/api")
    assert "api" not in read_settings().secrets


def test_shows_no_secret(variables: dict[str, str]) -> None:
    settings = read_settings()
    shown = repr(settings) + str(settings) + settings.model_dump_json()
    assert variables["JWT_SECRET_KEY"] not in shown
    assert variables["AUTH_ADMIN_PASSWORD"] not in shown
    assert set(settings.secrets) == {
        variables["JWT_SECRET_KEY"],
        variables["AUTH_ADMIN_PASSWORD"],
        variables["AUTH_USER_PASSWORD"],
    }


def test_the_process_does_not_start(variables: dict[str, str]) -> None:
    environment = {**variables, "JWT_SECRET_KEY": "canary-secret", "LITELLM_URL": "canary-url"}
    done = subprocess.run(
        [sys.executable, "-c", "import api.main"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 78
    assert "canary" not in done.stdout + done.stderr
    record = json.loads(done.stdout)
    assert set(record["problems"]) == {"JWT_SECRET_KEY", "LITELLM_URL"}
    assert done.stderr == ""
