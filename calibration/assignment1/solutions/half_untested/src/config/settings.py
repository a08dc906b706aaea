import sys
from typing import Annotated

from pydantic import Field, NonNegativeFloat, PositiveInt, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True)

    OPENAI_API_KEY: Annotated[SecretStr, Field(min_length=1)]
    OPENAI_BASE_URL: str | None = None
    ANTHROPIC_API_KEY: SecretStr | None = None
    ANTHROPIC_BASE_URL: str | None = None
    APP_NAME: str = "chatsvc"
    DEBUG: bool = False
    DEFAULT_MODEL: str = "gpt-4o-mini"
    RATE_LIMIT_REQUESTS: PositiveInt = 100
    RATE_LIMIT_WINDOW: PositiveInt = 60
    MAX_TOKENS_PER_REQUEST: PositiveInt = 4096
    DAILY_COST_LIMIT: NonNegativeFloat = 10.0


def get_settings() -> Settings:
    try:
        return Settings()  # type: ignore[call-arg]
    except ValidationError as e:
        names = ", ".join(f"{err['loc'][0]} ({err['msg']})" for err in e.errors())
    sys.exit(f"invalid settings: {names}")


settings = get_settings()
