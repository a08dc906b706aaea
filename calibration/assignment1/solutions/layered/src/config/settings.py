"""Settings, read and checked once, when this module is imported."""

import sys

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

OPENAI_URL = "https://api.openai.com/v1"
ANTHROPIC_URL = "https://api.anthropic.com"


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_file=".env", env_file_encoding="utf-8", extra="ignore", hide_input_in_errors=True
    )

    openai_api_key: SecretStr
    openai_base_url: str = OPENAI_URL
    anthropic_api_key: SecretStr | None = None
    anthropic_base_url: str = ANTHROPIC_URL

    app_name: str = "Chat Gateway"
    debug: bool = False
    default_model: str = Field("gpt-4o-mini", min_length=1)

    rate_limit_requests: int = Field(100, gt=0)
    rate_limit_window: int = Field(60, gt=0)
    max_tokens_per_request: int = Field(4096, gt=0)
    daily_cost_limit: float = Field(10.0, ge=0, allow_inf_nan=False)

    @field_validator("openai_api_key")
    @classmethod
    def key_is_usable(cls, key: SecretStr) -> SecretStr:
        stripped = key.get_secret_value().strip()
        if not stripped:
            raise ValueError("must not be empty")
        return SecretStr(stripped)

    @field_validator("anthropic_api_key")
    @classmethod
    def empty_is_missing(cls, key: SecretStr | None) -> SecretStr | None:
        stripped = key.get_secret_value().strip() if key else ""
        return SecretStr(stripped) if stripped else None

    @field_validator("openai_base_url", "anthropic_base_url")
    @classmethod
    def no_trailing_slash(cls, url: str) -> str:
        return url.strip().rstrip("/")

    @property
    def openai_url(self) -> str:
        return self.openai_base_url or OPENAI_URL

    @property
    def anthropic_url(self) -> str:
        return self.anthropic_base_url or ANTHROPIC_URL


def load_settings() -> Settings:
    """The settings, or the end of the process with the name of each bad variable."""
    try:
        return Settings()
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_input=False):
            name = "_".join(str(part) for part in problem["loc"]).upper()
            print(f"Configuration error: {name}: {problem['msg']}", file=sys.stderr)
        raise SystemExit(3) from None


settings = load_settings()
