"""Settings from the environment and .env, as a frozen struct."""

import math
import os
import sys
from collections.abc import Mapping
from typing import Annotated

import msgspec
from dotenv import dotenv_values

Name = Annotated[str, msgspec.Meta(min_length=1)]
Positive = Annotated[int, msgspec.Meta(gt=0)]


class Settings(msgspec.Struct, frozen=True, kw_only=True, rename=str.upper):
    openai_api_key: str
    openai_base_url: str = ""
    anthropic_api_key: str = ""
    anthropic_base_url: str = ""
    app_name: Name = "llm-api"
    debug: bool = False
    default_model: Name = "gpt-4o-mini"
    rate_limit_requests: Positive = 100
    rate_limit_window: Positive = 60
    max_tokens_per_request: Positive = 4096
    daily_cost_limit: Annotated[float, msgspec.Meta(ge=0)] = 10.0

    def __post_init__(self) -> None:
        if not self.openai_api_key.strip():
            raise ValueError("`OPENAI_API_KEY` is empty")
        if not math.isfinite(self.daily_cost_limit):
            raise ValueError("`DAILY_COST_LIMIT` is not a number")

    def __repr__(self) -> str:
        return f"Settings(app_name={self.app_name!r})"


def parse(env: Mapping[str, str | None]) -> Settings:
    """Raises msgspec.ValidationError, which names the variable and not its value."""
    return msgspec.convert(dict(env), Settings, strict=False)


def load() -> Settings:
    try:
        return parse({**dotenv_values(".env"), **os.environ})
    except msgspec.ValidationError as error:
        sys.exit(f"Configuration refused: {error}")


settings = load()
