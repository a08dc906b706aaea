"""Settings from the environment and .env, read when this module is imported."""

import math
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from dotenv import load_dotenv

T = TypeVar("T")

BOOLEANS = {
    "true": True, "1": True, "yes": True, "on": True,
    "false": False, "0": False, "no": False, "off": False,
}  # fmt: skip


class ConfigError(Exception):
    pass


@dataclass(frozen=True)
class Settings:
    openai_api_key: str = field(repr=False)
    app_name: str
    debug: bool
    default_model: str
    rate_limit_requests: int
    rate_limit_window: int
    max_tokens_per_request: int
    daily_cost_limit: float

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> "Settings":
        key = env.get("OPENAI_API_KEY", "").strip()
        if not key:
            raise ConfigError("OPENAI_API_KEY is missing or empty")
        return cls(
            openai_api_key=key,
            app_name=env.get("APP_NAME") or "small-llm-service",
            debug=read(env, "DEBUG", "false", boolean),
            default_model=env.get("DEFAULT_MODEL") or "gpt-4o-mini",
            rate_limit_requests=read(env, "RATE_LIMIT_REQUESTS", "100", positive_int),
            rate_limit_window=read(env, "RATE_LIMIT_WINDOW", "60", positive_int),
            max_tokens_per_request=read(env, "MAX_TOKENS_PER_REQUEST", "4096", positive_int),
            daily_cost_limit=read(env, "DAILY_COST_LIMIT", "10.0", dollars),
        )


def read(env: Mapping[str, str], name: str, default: str, parse: Callable[[str], T]) -> T:
    try:
        return parse(env.get(name, default).strip())
    except ValueError as error:
        raise ConfigError(f"{name} {error}") from None


def positive_int(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise ValueError("must be a positive whole number")
    return int(text)


def dollars(text: str) -> float:
    try:
        amount = float(text)
    except ValueError:
        raise ValueError("must be a number") from None
    if not math.isfinite(amount) or amount < 0:
        raise ValueError("must not be negative")
    return amount


def boolean(text: str) -> bool:
    if text.lower() not in BOOLEANS:
        raise ValueError("must be true or false")
    return BOOLEANS[text.lower()]


# The SDK reads OPENAI_BASE_URL from the environment itself, so .env is loaded into it.
load_dotenv(".env")

try:
    settings = Settings.from_env(os.environ)
except ConfigError as problem:
    sys.exit(f"Bad configuration: {problem}")
