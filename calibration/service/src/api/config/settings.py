"""Settings: the environment, validated once, before anything else happens."""

import json
import re
from datetime import timedelta
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, AnyHttpUrl, BeforeValidator, Field, SecretStr, TypeAdapter
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

_HTTP_URL = TypeAdapter(AnyHttpUrl)

# Secrets that were published: in tutorials, templates and documentation.
_PUBLISHED = {
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
    "abcdefghijklmnopqrstuvwxyz012345",
    "abcdefghijklmnopqrstuvwxyz0123456789",
    "qwertyuiopasdfghjklzxcvbnm123456",
}
# What templates put where a secret belongs, letters only.
_PLACEHOLDERS = re.compile(
    r"change(me|this|it|in|before)|replace(me|this|with)|your(own|super|very|jwt|secret|256)|(super|my|top)secret"
    r"|insecure|placeholder|donotuse"
)
_COMMON_PASSWORDS = {
    "password",
    "password1",
    "password123",
    "admin123",
    "administrator",
    "changeme",
    "12345678",
}


def _strong(secret: SecretStr) -> SecretStr:
    value = secret.get_secret_value()
    letters = re.sub(r"[^a-z0-9]", "", value.lower())
    if len(value) < 32:
        raise ValueError("must have at least 32 characters; generate one with `openssl rand -hex 32`")
    if value.lower() in _PUBLISHED or _PLACEHOLDERS.search(letters):
        raise ValueError("is a well-known default; generate one with `openssl rand -hex 32`")
    if re.fullmatch(r"[a-z\W_]*(secret|password|key|token)[a-z\W_]*", value.lower()):
        raise ValueError("is made of words; generate one with `openssl rand -hex 32`")
    if len(set(value)) < 8 or value in (value + value)[1:-1]:
        raise ValueError("repeats itself; generate one with `openssl rand -hex 32`")
    if 2 * _steps(value) >= len(value):
        raise ValueError("counts or repeats; generate one with `openssl rand -hex 32`")
    return secret


def _steps(value: str) -> int:
    """How often a character is followed by itself or by the next one, as in padding."""
    return sum(ord(after) - ord(before) in {0, 1} for before, after in pairwise(value))


def _uncommon(password: SecretStr) -> SecretStr:
    if password.get_secret_value().lower() in _COMMON_PASSWORDS:
        raise ValueError("is one of the passwords that everybody tries first")
    return password


def _base_url(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a URL")  # noqa: TRY004  pydantic reports ValueError by field, and lets TypeError out
    url = value.strip().rstrip("/")
    _HTTP_URL.validate_python(url)
    if urlsplit(url).query or urlsplit(url).fragment:
        raise ValueError("must be a base URL, without a query or a fragment")
    return url


def _origins(value: object) -> object:
    """A JSON list, as the contract has it. A failure is told without the value."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise ValueError('must be a JSON list of origins, for instance ["https://app.example.org"]') from None


def _origin(value: str) -> str:
    """An origin as a browser sends it. A wildcard is refused: with credentials it would let every site in."""
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or "*" in value:
        raise ValueError("must be an origin such as https://app.example.org; wildcards are not accepted")
    if parts.path not in {"", "/"} or parts.query or parts.fragment or parts.username is not None:
        raise ValueError("must be scheme, host and port, and nothing else")
    return value.rstrip("/").lower()


BaseUrl = Annotated[str, BeforeValidator(_base_url)]
Origin = Annotated[str, AfterValidator(_origin)]
Password = Annotated[SecretStr, Field(min_length=8), AfterValidator(_uncommon)]


class Settings(BaseSettings):
    """Read from the environment, never from a .env file: a forgotten one must not stand in for a missing variable.

    A variable that is empty counts as not set.
    """

    model_config = SettingsConfigDict(
        extra="ignore", frozen=True, hide_input_in_errors=True, env_ignore_empty=True
    )

    environment: str = "production"
    log_level: Annotated[str, Field(pattern="^(DEBUG|INFO|WARNING|ERROR)$")] = "INFO"

    jwt_secret_key: Annotated[SecretStr, AfterValidator(_strong)]
    jwt_lifetime: timedelta = timedelta(hours=1)
    auth_admin_password: Password
    auth_user_password: Password
    cors_origins: Annotated[list[Origin], NoDecode, BeforeValidator(_origins)] = []

    litellm_url: BaseUrl
    litellm_api_key: SecretStr = SecretStr("")
    qdrant_url: BaseUrl
    mlflow_tracking_uri: BaseUrl
    mlflow_experiment_id: str = "0"

    llm_deadline: Annotated[float, Field(gt=0, le=25)] = 20.0
    llm_connect_timeout: Annotated[float, Field(gt=0)] = 3.0
    breaker_threshold: Annotated[int, Field(ge=1)] = 5
    breaker_cooldown: Annotated[float, Field(gt=0)] = 10.0

    max_body_bytes: Annotated[int, Field(gt=0)] = 1024 * 1024
    body_timeout: Annotated[float, Field(gt=0)] = 10.0
    drain_timeout: Annotated[float, Field(gt=0, le=25)] = 25.0

    cache_collection: str = "llm_cache"
    cache_ttl: Annotated[float, Field(gt=0)] = 3600.0
    trace_fallback_path: Path = Path("data/traces.jsonl")

    @cached_property
    def secrets(self) -> tuple[str, ...]:
        """Every secret in use, in the clear: what must never be logged."""
        fields: dict[str, Any] = dict(self)
        values = (field.get_secret_value() for field in fields.values() if isinstance(field, SecretStr))
        return tuple(value for value in values if value)
