"""Settings: read once, from the environment and from `.env`."""

from functools import lru_cache

from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """The variables of the contract."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore")

    default_model: str = "gpt-4o"
    rate_limit_requests: int = 10
    rate_limit_window: float = 60.0


@lru_cache
def get_settings() -> Settings:
    return Settings()
