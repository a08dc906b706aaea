"""Settings: a dataclass filled from the environment once."""

import os
from dataclasses import dataclass, field
from functools import cache


@dataclass(frozen=True)
class Settings:
    key: str = field(repr=False)
    base_url: str
    default_model: str
    requests: int
    window: int


@cache
def get_settings() -> Settings:
    read = os.environ.get
    return Settings(
        read("OPENAI_API_KEY", ""),
        read("OPENAI_BASE_URL", "https://api.openai.com/v1").rstrip("/"),
        read("DEFAULT_MODEL", "gpt-4o"),
        int(read("RATE_LIMIT_REQUESTS", "10")),
        int(read("RATE_LIMIT_WINDOW", "60")),
    )
