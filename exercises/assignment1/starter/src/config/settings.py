"""Settings: read once, from the environment and from `.env`. The environment wins."""

from functools import lru_cache

from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """The variables of the contract, with their types, defaults and bounds.

    Keep keys out of every output: pydantic's SecretStr hides them, and an error must not quote the value that it refuses.
    """

    model_config = SettingsConfigDict(env_file=".env", extra="ignore")


@lru_cache
def get_settings() -> Settings:
    """Return the settings. End the process with the names of the variables that are wrong, if there are any."""
    return Settings()
