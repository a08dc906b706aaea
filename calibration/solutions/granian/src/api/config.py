import os
import sys
from typing import Annotated

from pydantic import AfterValidator, AnyHttpUrl, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings

GUESSES = ("secret", "changeme", "your", "dev", "change-in", "password", "default", "replace")


def unguessable(key: SecretStr) -> SecretStr:
    text = key.get_secret_value()
    if len(text) < 32:
        raise ValueError("at least 32 characters are needed")
    if any(guess in text.lower() for guess in GUESSES if guess != "dev") or text.startswith("dev"):
        raise ValueError("this key is in every list of defaults")
    return key


Url = Annotated[AnyHttpUrl, AfterValidator(lambda url: str(url).rstrip("/"))]


class Config(BaseSettings):
    model_config = {"hide_input_in_errors": True}

    environment: str = "production"
    jwt_secret_key: Annotated[SecretStr, AfterValidator(unguessable)]
    auth_admin_password: SecretStr = Field(min_length=1)
    auth_user_password: SecretStr = Field(min_length=1)
    cors_origins: list[str] = []
    litellm_url: Url
    qdrant_url: Url
    mlflow_tracking_uri: Url


def load() -> Config:
    try:
        return Config()
    except ValidationError as error:
        for one in error.errors(include_input=False):
            os.write(2, f"{one['loc'][0]}: {one['msg']}\n".upper().encode())
        sys.exit(1)


config = load()
