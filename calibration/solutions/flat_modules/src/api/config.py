import json
import os
import re

URL = re.compile(r"https?://[\w.\-\[][\w.\-\[\]:]*(/\S*)?")
COMMON = {"secret", "changeme", "change_me", "change-me", "your-secret", "dev-secret", "in-production", "password"}


class ConfigurationError(SystemExit):
    pass


def _required(name):
    value = os.getenv(name)
    if not value:
        raise ConfigurationError(f"{name} must be set")
    return value


def _url(name):
    value = _required(name).rstrip("/")
    if not URL.fullmatch(value):
        raise ConfigurationError(f"{name} must be an http or https URL")
    return value


def _jwt_key():
    value = _required("JWT_SECRET_KEY")
    if len(value) < 32:
        raise ConfigurationError("JWT_SECRET_KEY must have at least 32 characters")
    for word in COMMON:
        if word in value.lower():
            raise ConfigurationError("JWT_SECRET_KEY must not be a common default")
    return value


def _origins():
    try:
        origins = json.loads(os.getenv("CORS_ORIGINS", "[]"))
        assert all(isinstance(one, str) and one != "*" for one in origins)
        return origins
    except (ValueError, TypeError, AssertionError):
        raise ConfigurationError("CORS_ORIGINS must be a JSON list of origins") from None


JWT_SECRET_KEY = _jwt_key()
PASSWORDS = {"admin": _required("AUTH_ADMIN_PASSWORD"), "user": _required("AUTH_USER_PASSWORD")}
CORS_ORIGINS = _origins()
LITELLM_URL = _url("LITELLM_URL")
QDRANT_URL = _url("QDRANT_URL")
MLFLOW_TRACKING_URI = _url("MLFLOW_TRACKING_URI")
ENVIRONMENT = os.getenv("ENVIRONMENT", "production")

DEADLINE = 26.0
MAX_BODY = 1_048_576
COOL_DOWN = 15.0
FAILURES_TO_OPEN = 5
