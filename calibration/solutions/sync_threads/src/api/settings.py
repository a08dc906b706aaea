import sys

from pydantic import Field, HttpUrl, SecretStr, ValidationError
from pydantic_settings import BaseSettings

BANNED = ["secret", "changeme", "change-me", "your-", "dev-", "password", "-key", "production"]


class Settings(BaseSettings, hide_input_in_errors=True):
    jwt_secret_key: SecretStr = Field(min_length=32)
    auth_admin_password: SecretStr = Field(min_length=8)
    auth_user_password: SecretStr = Field(min_length=8)
    cors_origins: list[str] = Field(default_factory=list)
    litellm_url: HttpUrl
    qdrant_url: HttpUrl
    mlflow_tracking_uri: HttpUrl
    environment: str = "production"

    def model_post_init(self, _context):
        key = self.jwt_secret_key.get_secret_value().lower()
        if any(word in key for word in BANNED):
            raise SystemExit("JWT_SECRET_KEY is a default; set one of your own")
        if any(origin in ("*", "null") for origin in self.cors_origins):
            raise SystemExit("CORS_ORIGINS must not let everybody in")


try:
    settings = Settings()
except ValidationError as error:
    for one in error.errors(include_input=False, include_url=False):
        sys.stderr.write(f"{one['loc'][0]}: {one['msg']}\n".upper())
    sys.exit(2)

JWT_KEY = settings.jwt_secret_key.get_secret_value()
LITELLM = str(settings.litellm_url).rstrip("/")
QDRANT = str(settings.qdrant_url).rstrip("/")
MLFLOW = str(settings.mlflow_tracking_uri).rstrip("/")
