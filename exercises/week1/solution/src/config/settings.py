"""Settings: read once from the environment and from `.env`. The environment wins."""

from functools import lru_cache
from typing import Annotated

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What an operator can set. The window is in seconds."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True, hide_input_in_errors=True)

    openai_api_key: Annotated[SecretStr, Field(min_length=1)]
    openai_base_url: str | None = None
    default_model: Annotated[str, Field(min_length=1)] = "gpt-4o"
    rate_limit_requests: Annotated[int, Field(gt=0)] = 10
    rate_limit_window: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 60.0


@lru_cache
def get_settings() -> Settings:
    return Settings()
