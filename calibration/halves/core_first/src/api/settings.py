from pydantic import AnyHttpUrl, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

FORBIDDEN_PARTS = ("secret", "changeme", "change-me", "your-", "dev-", "please", "example")


class Settings(BaseSettings):
    """Read once, at import: uvicorn does not open its port before that."""

    model_config = SettingsConfigDict(hide_input_in_errors=True, extra="ignore")

    environment: str = "production"
    jwt_secret_key: SecretStr = Field(min_length=32)
    auth_admin_password: SecretStr = Field(min_length=1)
    auth_user_password: SecretStr = Field(min_length=1)
    cors_origins: list[AnyHttpUrl] = []
    litellm_url: AnyHttpUrl
    qdrant_url: AnyHttpUrl
    mlflow_tracking_uri: AnyHttpUrl
    rate_limit_per_minute: int = Field(60, ge=1)
    max_body: int = 1_000_000

    @field_validator("jwt_secret_key")
    @classmethod
    def not_forbidden(cls, value: SecretStr) -> SecretStr:
        if any(part in value.get_secret_value().lower() for part in FORBIDDEN_PARTS):
            raise ValueError("JWT_SECRET_KEY must not be a well-known value")
        return value

    @property
    def origins(self) -> list[str]:
        return [str(origin).rstrip("/") for origin in self.cors_origins]


settings = Settings()
LITELLM, QDRANT, MLFLOW = (
    str(url).rstrip("/") for url in (settings.litellm_url, settings.qdrant_url, settings.mlflow_tracking_uri)
)
