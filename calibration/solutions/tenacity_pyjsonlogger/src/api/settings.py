import sys

from pydantic import AnyHttpUrl, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

WELL_KNOWN = ("secret", "changeme", "change-me", "change-in-production", "your-", "dev-", "example", "password", "123456")


class Settings(BaseSettings):
    model_config = SettingsConfigDict(hide_input_in_errors=True, extra="ignore")

    environment: str = "production"
    jwt_secret_key: SecretStr
    auth_admin_password: SecretStr = Field(min_length=1)
    auth_user_password: SecretStr = Field(min_length=1)
    cors_origins: list[str] = []
    litellm_url: AnyHttpUrl
    litellm_api_key: SecretStr = SecretStr("none")
    qdrant_url: AnyHttpUrl
    mlflow_tracking_uri: AnyHttpUrl

    deadline: float = 25.0
    breaker_threshold: int = 5
    breaker_cooldown: float = 8.0
    max_body_bytes: int = 1024 * 1024

    @field_validator("jwt_secret_key")
    @classmethod
    def strong(cls, value: SecretStr) -> SecretStr:
        text = value.get_secret_value()
        if len(text) < 32:
            raise ValueError("needs at least 32 characters; generate one with: openssl rand -hex 32")
        if any(word in text.lower() for word in WELL_KNOWN):
            raise ValueError("is a well-known default; generate one with: openssl rand -hex 32")
        return value

    @field_validator("cors_origins")
    @classmethod
    def exact(cls, value: list[str]) -> list[str]:
        if "*" in value:
            raise ValueError("must list origins, not *")
        return value

    def base(self, name: str) -> str:
        return str(getattr(self, name)).rstrip("/")


def load() -> Settings:
    try:
        return Settings()
    except ValidationError as e:
        problems = "; ".join(f"{str(err['loc'][0]).upper()}: {err['msg']}" for err in e.errors(include_input=False, include_context=False))
        sys.exit(f"Configuration refused: {problems}")


settings = load()
