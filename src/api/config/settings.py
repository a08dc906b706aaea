"""Settings: the environment, validated once, before anything else happens."""

import json
import re
from datetime import timedelta
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote, urlsplit

from pydantic import (
    AfterValidator,
    AliasChoices,
    AnyHttpUrl,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    TypeAdapter,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from api.services.callers import Permission, Tier
from api.services.content_filter.filter import RuleName, parse_rules
from api.services.limits.rates import Budgets, Rate, parse_budgets, parse_rates
from api.services.routing.routes import Route, parse_routes
from api.services.routing.variants import parse_variants
from api.services.semantic_cache import SemanticCacheRules, parse_semantic_cache

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


def _users(value: object) -> object:
    """A JSON list of objects. A failure is told without the value, which holds passwords."""
    if not isinstance(value, str):
        return value
    try:
        users = json.loads(value)
    except ValueError:
        users = None
    if not isinstance(users, list):
        raise ValueError(  # noqa: TRY004  pydantic reports ValueError by field, and lets TypeError out
            'must be a JSON list of users such as {"username": "ada", "password": "...", "tier": "free", '
            '"permissions": ["chat"]}'
        )
    return users


def _distinct_with_an_admin(users: "list[BootstrapUser]") -> "list[BootstrapUser]":
    if len({user.username for user in users}) < len(users):
        raise ValueError("has a user name twice")
    if not any(Permission.ADMIN in user.permissions for user in users):
        raise ValueError("must have a user with the permission admin")
    return users


def _postgresql(url: SecretStr) -> SecretStr:
    """Only the form is checked here: the database itself may be down when the service starts."""
    try:
        parts = urlsplit(url.get_secret_value())
    except ValueError:
        parts = None
    if parts is None or parts.scheme not in {"postgresql", "postgres"} or not parts.netloc:
        raise ValueError("must be a URL such as postgresql://user:password@host:5432/database")
    return url


def _origin(value: str) -> str:
    """An origin as a browser sends it. A wildcard is refused: with credentials it would let every site in."""
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or "*" in value:
        raise ValueError("must be an origin such as https://app.example.org; wildcards are not accepted")
    if parts.path not in {"", "/"} or parts.query or parts.fragment or parts.username is not None:
        raise ValueError("must be scheme, host and port, and nothing else")
    return value.rstrip("/").lower()


def _redis_url(value: SecretStr) -> SecretStr:
    try:
        parts = urlsplit(value.get_secret_value())
        valid = parts.scheme in {"redis", "rediss"} and parts.hostname and parts.port != 0 and not parts.query
    except ValueError:
        valid = False
    if not valid:
        raise ValueError("must be a URL such as redis://redis:6379/0, or rediss:// for TLS")
    return value


BaseUrl = Annotated[str, BeforeValidator(_base_url)]
Origin = Annotated[str, AfterValidator(_origin)]
Rates = Annotated[dict[Tier, Rate], NoDecode, BeforeValidator(parse_rates)]
RedisUrl = Annotated[SecretStr, AfterValidator(_redis_url)]
SHORTEST_PASSWORD = 8
Password = Annotated[SecretStr, Field(min_length=SHORTEST_PASSWORD), AfterValidator(_uncommon)]


class BootstrapUser(BaseModel):
    """A user that the settings name."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    username: Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f]+$")]
    password: Password
    tier: Tier
    permissions: frozenset[Permission]


BootstrapUsers = Annotated[list[BootstrapUser], AfterValidator(_distinct_with_an_admin)]


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
    bootstrap_users: Annotated[BootstrapUsers | None, NoDecode, BeforeValidator(_users)] = None
    auth_admin_password: Password | None = None
    auth_user_password: Password | None = None
    cors_origins: Annotated[list[Origin], NoDecode, BeforeValidator(_origins)] = []

    litellm_url: Annotated[BaseUrl, Field(validation_alias=AliasChoices("litellm_url", "backend_url"))]
    litellm_api_key: SecretStr = SecretStr("")
    qdrant_url: BaseUrl | None = None
    mlflow_tracking_uri: BaseUrl | None = None
    mlflow_experiment_id: str = "0"

    llm_deadline: Annotated[float, Field(gt=0, le=25)] = 20.0
    stream_idle_timeout: Annotated[float, Field(gt=0)] = 20.0
    llm_connect_timeout: Annotated[float, Field(gt=0)] = 3.0
    breaker_threshold: Annotated[int, Field(ge=1)] = 5
    breaker_cooldown: Annotated[float, Field(gt=0)] = 10.0

    max_body_bytes: Annotated[int, Field(gt=0)] = 1024 * 1024
    body_timeout: Annotated[float, Field(gt=0)] = 10.0
    drain_timeout: Annotated[float, Field(gt=0, le=25)] = 25.0

    redis_url: RedisUrl | None = None
    redis_timeout: Annotated[float, Field(gt=0, le=5)] = 0.02
    rate_limits: Rates = {}
    token_limits: Rates = {}
    daily_budgets: Annotated[Budgets, NoDecode, BeforeValidator(parse_budgets)] = Budgets({}, {})

    model_routes: Annotated[tuple[Route, ...], NoDecode, BeforeValidator(parse_routes)] = ()
    model_variants: Annotated[dict[str, dict[str, float]], NoDecode, BeforeValidator(parse_variants)] = {}
    content_filters: Annotated[list[RuleName], NoDecode, BeforeValidator(parse_rules)] = []

    cache_collection: str = "llm_cache"
    cache_ttl: Annotated[float, Field(gt=0)] = 3600.0
    semantic_cache: Annotated[SemanticCacheRules | None, NoDecode, BeforeValidator(parse_semantic_cache)] = (
        None
    )
    semantic_cache_collection: str = "llm_semantic_cache"
    trace_fallback_path: Path = Path("data/traces.jsonl")

    database_url: Annotated[SecretStr, AfterValidator(_postgresql)] | None = None
    database_path: Path = Path("data/api.db")
    usage_outbox_path: Path = Path("data/usage")
    usage_outbox_max_bytes: Annotated[int, Field(gt=0)] = 512 * 1024 * 1024

    @field_validator("auth_admin_password", "auth_user_password", "qdrant_url", "mlflow_tracking_uri")
    @classmethod
    def _required_without_bootstrap_users(cls, value: object, info: ValidationInfo) -> object:
        """The exam's variables; who names users by BOOTSTRAP_USERS needs none of them."""
        if value is None and "bootstrap_users" in info.data and info.data["bootstrap_users"] is None:
            raise PydanticCustomError("missing", "is required")
        return value

    @cached_property
    def secrets(self) -> tuple[str, ...]:
        """Every secret in use, in the clear: what must never be logged."""
        fields: dict[str, Any] = dict(self)
        values = [field.get_secret_value() for field in fields.values() if isinstance(field, SecretStr)]
        values += [user.password.get_secret_value() for user in self.bootstrap_users or ()]
        if self.database_url is not None:
            password = unquote(urlsplit(self.database_url.get_secret_value()).password or "")
            if len(password) >= SHORTEST_PASSWORD:  # the pattern of a short one would blot out ordinary words
                values.append(password)
        return tuple(value for value in values if value)
