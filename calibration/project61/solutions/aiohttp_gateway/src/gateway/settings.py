"""What the environment says, read once and checked."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TIERS = ("free", "premium", "enterprise")
PERIODS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
DEFAULT_LIMITS = {"free": "10/minute", "premium": "60/minute", "enterprise": "600/minute"}


class WrongSettings(Exception):
    """The environment does not describe a service that could run."""


@dataclass(frozen=True)
class User:
    name: str
    password: str = field(repr=False)
    tier: str
    permissions: frozenset[str]


@dataclass(frozen=True)
class Rate:
    limit: int
    seconds: int

    @classmethod
    def parse(cls, text: str) -> "Rate":
        count, _, period = text.partition("/")
        try:
            return cls(int(count), PERIODS[period.strip().rstrip("s")])
        except (ValueError, KeyError):
            raise WrongSettings(f"a rate is like 10/minute, not {text!r}") from None


@dataclass(frozen=True)
class Rule:
    model: str
    tier: str | None = None
    task: str | None = None
    latency_budget: float | None = None
    fallback: str | None = None


@dataclass(frozen=True)
class CacheSettings:
    model: str
    threshold: float
    ttl: float


@dataclass(frozen=True)
class Settings:
    backend_url: str
    jwt_secret: str = field(repr=False)
    users: Mapping[str, User] = field(repr=False)
    redis_url: str | None = field(default=None, repr=False)
    database_url: str | None = field(default=None, repr=False)
    backend_key: str | None = field(default=None, repr=False)
    rates: Mapping[str, Rate] = field(default_factory=dict)
    routes: tuple[Rule, ...] = ()
    cache: CacheSettings | None = None
    budgets: Mapping[str, float] = field(default_factory=dict)
    variants: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    spool: Path = Path("data/usage")
    token_seconds: int = 3600
    max_body: int = 10 * 2**20
    first_chunk_seconds: float = 60
    idle_seconds: float = 15
    answer_seconds: float = 180
    drain_seconds: float = 20

    @classmethod
    def from_environment(cls, env: Mapping[str, str] = os.environ) -> "Settings":
        backend = env.get("LITELLM_URL") or env.get("BACKEND_URL")
        secret = env.get("JWT_SECRET_KEY", "")
        if not backend:
            raise WrongSettings("LITELLM_URL (or BACKEND_URL) is missing")
        if len(secret) < 32:
            raise WrongSettings("JWT_SECRET_KEY is missing or shorter than 32 characters")
        cache = _json(env, "SEMANTIC_CACHE", dict, None)
        return cls(
            backend_url=backend.rstrip("/"),
            jwt_secret=secret,
            users=_users(_json(env, "BOOTSTRAP_USERS", list, [])),
            redis_url=env.get("REDIS_URL") or None,
            database_url=env.get("DATABASE_URL") or None,
            backend_key=env.get("LITELLM_API_KEY") or None,
            rates={
                tier: Rate.parse(text)
                for tier, text in (DEFAULT_LIMITS | _json(env, "RATE_LIMITS", dict, {})).items()
            },
            routes=tuple(_rule(one) for one in _json(env, "MODEL_ROUTES", list, [])),
            cache=cache and CacheSettings(cache["model"], float(cache["threshold"]), float(cache["ttl"])),
            budgets={who: float(usd) for who, usd in _json(env, "DAILY_BUDGETS", dict, {}).items()},
            variants=_json(env, "MODEL_VARIANTS", dict, {}),
            spool=Path(env.get("USAGE_SPOOL") or "data/usage"),
        )


def _json(env: Mapping[str, str], name: str, kind: type, default: Any) -> Any:
    text = env.get(name, "").strip()
    if not text:
        return default
    try:
        value = json.loads(text)
    except ValueError:
        raise WrongSettings(f"{name} is not JSON") from None
    if not isinstance(value, kind):
        raise WrongSettings(f"{name} is not a JSON {kind.__name__}")
    return value


def _users(listed: list[dict[str, Any]]) -> dict[str, User]:
    try:
        users = [
            User(one["username"], one["password"], one["tier"], frozenset(one["permissions"]))
            for one in listed
        ]
    except (KeyError, TypeError):
        raise WrongSettings("BOOTSTRAP_USERS: a user has username, password, tier, permissions") from None
    for user in users:
        if user.tier not in TIERS:
            raise WrongSettings(f"BOOTSTRAP_USERS: no tier is called {user.tier!r}")
    return {user.name: user for user in users}


def _rule(one: dict[str, Any]) -> Rule:
    try:
        return Rule(**one)
    except TypeError:
        raise WrongSettings("MODEL_ROUTES: a rule has model, tier, task, latency_budget, fallback") from None
