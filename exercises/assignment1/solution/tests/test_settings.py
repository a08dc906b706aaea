from pathlib import Path

import pytest

from src.config.settings import Settings, get_settings


@pytest.fixture(autouse=True)
def _uncached() -> None:
    get_settings.cache_clear()


def refusal(capsys: pytest.CaptureFixture[str]) -> str:
    """Return what is printed as the settings are refused."""
    with pytest.raises(SystemExit) as ended:
        get_settings()
    assert ended.value.code == 1
    return capsys.readouterr().err


def test_the_defaults_are_those_of_the_contract() -> None:
    settings = get_settings()

    assert settings.default_model == "gpt-4o-mini"
    assert (settings.rate_limit_requests, settings.rate_limit_window) == (100, 60)
    assert (settings.max_tokens_per_request, settings.daily_cost_limit) == (4096, 10.0)
    assert settings.anthropic_api_key is None
    assert not settings.debug


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("DEFAULT_MODEL=of-the-file\nRATE_LIMIT_REQUESTS=7\nANTHROPIC_API_KEY=\n")
    monkeypatch.setenv("DEFAULT_MODEL", "of-the-environment")

    settings = get_settings()

    assert (settings.default_model, settings.rate_limit_requests) == ("of-the-environment", 7)
    assert settings.anthropic_api_key is None


def test_settings_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    before = get_settings()
    monkeypatch.setenv("DEFAULT_MODEL", "another")

    assert get_settings() is before


def test_a_missing_key_ends_the_process(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")

    assert "OPENAI_API_KEY" in refusal(capsys)


def test_an_empty_key_counts_even_if_the_file_has_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(".env").write_text("OPENAI_API_KEY=key-of-the-file\n")
    monkeypatch.setenv("OPENAI_API_KEY", "")

    assert "OPENAI_API_KEY" in refusal(capsys)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RATE_LIMIT_REQUESTS", "1O0"),
        ("RATE_LIMIT_REQUESTS", "0"),
        ("RATE_LIMIT_WINDOW", "soon"),
        ("RATE_LIMIT_WINDOW", "-1"),
        ("MAX_TOKENS_PER_REQUEST", "many"),
        ("DAILY_COST_LIMIT", "-0.01"),
        ("DAILY_COST_LIMIT", "nan"),
        ("DAILY_COST_LIMIT", "inf"),
        ("DEBUG", "maybe"),
        ("OPENAI_BASE_URL", "localhost"),
    ],
)
def test_a_senseless_value_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)

    assert refusal(capsys).startswith(f"{name}: ")


def test_a_refused_key_is_not_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk with blanks")

    assert "blanks" not in refusal(capsys)


def test_keys_are_not_in_the_representation() -> None:
    settings = Settings()

    assert settings.secrets == ("test-key-of-openai",)
    assert "test-key" not in repr(settings)
