import sys
from functools import lru_cache

from pydantic import AnyHttpUrl, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

BAD_KEYS = ("secret", "changeme", "change", "your-", "example", "dev-", "test-")


class Settings(BaseSettings):
    model_config = SettingsConfigDict(hide_input_in_errors=True, extra="ignore", frozen=True)

    jwt_secret_key: SecretStr
    auth_admin_password: SecretStr = Field(min_length=1)
    auth_user_password: SecretStr = Field(min_length=1)
    cors_origins: list[str] = []
    litellm_url: AnyHttpUrl
    qdrant_url: AnyHttpUrl
    mlflow_tracking_uri: AnyHttpUrl
    environment: str = "production"

    @model_validator(mode="after")
    def key_is_strong(self):
        key = self.jwt_secret_key.get_secret_value()
        if len(key) < 32 or any(bad in key.lower() for bad in BAD_KEYS):
            raise ValueError("JWT_SECRET_KEY is too weak: 32 random characters at least")
        if "*" in self.cors_origins:
            raise ValueError("CORS_ORIGINS must not contain *")
        return self

    def url(self, name: str) -> str:
        return str(getattr(self, name)).rstrip("/")


@lru_cache
def get() -> Settings:
    return Settings()


def check() -> None:
    try:
        get()
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, one['loc'])).upper()} {one['msg']}".strip() for one in error.errors()]
        sys.exit("invalid configuration: " + " | ".join(lines))
