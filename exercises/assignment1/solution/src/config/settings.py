"""Settings: read once from the environment and from `.env`. The environment wins."""

import sys
from collections.abc import Iterator
from functools import lru_cache
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict


def _usable(key: SecretStr) -> SecretStr:
    value = key.get_secret_value()
    if not value:
        raise ValueError("is empty")
    if not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError("has characters that no key has")
    return key


def _none_if_empty(value: object) -> object:
    """Return None for an empty value, which is what a copied `.env.example` has for unused variables."""
    return None if value == "" else value


def _http_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be an address such as https://api.example.org")
    return value


ApiKey = Annotated[SecretStr, AfterValidator(_usable)]
OptionalApiKey = Annotated[ApiKey | None, BeforeValidator(_none_if_empty)]
OptionalUrl = Annotated[Annotated[str, AfterValidator(_http_url)] | None, BeforeValidator(_none_if_empty)]


class Settings(BaseSettings):
    """What an operator can set. Times are in seconds, money is in US dollars."""

    model_config = SettingsConfigDict(
        env_file=".env", env_file_encoding="utf-8", extra="ignore", frozen=True, hide_input_in_errors=True
    )

    openai_api_key: ApiKey
    openai_base_url: OptionalUrl = None
    anthropic_api_key: OptionalApiKey = None
    anthropic_base_url: OptionalUrl = None

    app_name: Annotated[str, Field(min_length=1)] = "LLM service"
    debug: bool = False

    default_model: Annotated[str, Field(min_length=1)] = "gpt-4o-mini"
    max_tokens_per_request: Annotated[int, Field(gt=0)] = 4096

    rate_limit_requests: Annotated[int, Field(gt=0)] = 100
    rate_limit_window: Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)] = 60.0
    daily_cost_limit: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 10.0

    @property
    def secrets(self) -> tuple[str, ...]:
        """The keys in the clear, for what has to blot them out."""
        keys = (self.openai_api_key, self.anthropic_api_key)
        return tuple(key.get_secret_value() for key in keys if key is not None)


@lru_cache
def get_settings() -> Settings:
    """Return the settings. Exits with the names of the variables that are wrong, if there are any."""
    try:
        return Settings()
    except ValidationError as error:
        for problem in _problems(error):
            print(problem, file=sys.stderr)  # noqa: T201 - logging is configured by the settings
        raise SystemExit(1) from None


def _problems(error: ValidationError) -> Iterator[str]:
    """Yield a line for each wrong variable, with its name and without its value."""
    for problem in error.errors(include_url=False, include_context=False, include_input=False):
        name = str(problem["loc"][0]).upper()
        reason = (
            "is required" if problem["type"] == "missing" else problem["msg"].removeprefix("Value error, ")
        )
        yield f"{name}: {reason}"
