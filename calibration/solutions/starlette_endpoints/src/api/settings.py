"""The environment, read once. Everything that is wrong is reported at once, without its value."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

TEMPLATE_KEYS = ("changeme", "secret", "password", "insecure", "example", "yourkey")


class Problem(Exception):
    pass


@dataclass(frozen=True, slots=True, repr=False)
class Settings:
    jwt_key: str
    passwords: Mapping[str, str]
    origins: tuple[str, ...]
    litellm_url: str
    qdrant_url: str
    mlflow_uri: str
    tei_url: str
    environment: str


def _required(name: str) -> str:
    value = os.environ.get(name, "")
    if not value.strip():
        raise Problem("is missing")
    return value


def _jwt_key(name: str) -> str:
    key = _required(name)
    if len(key) < 32:
        raise Problem("needs at least 32 characters")
    squeezed = re.sub(r"[\W_\d]+", "", key.casefold())
    if any(word in squeezed for word in TEMPLATE_KEYS):
        raise Problem("is taken from a template")
    return key


def _url(name: str, default: str) -> str:
    value = os.environ.get(name, default)
    try:
        parts = urlsplit(value)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        valid = False
    if not valid or re.search(r"\s", value):
        raise Problem("is not an http(s) URL with a host")
    return value.rstrip("/")


def _tracking_uri(name: str, default: str) -> str:
    value = os.environ.get(name, default)
    if not value:
        raise Problem("is empty")
    if value.lower().startswith(("http:", "https:")):
        return _url(name, default)
    return value


def _origins(name: str) -> tuple[str, ...]:
    try:
        origins = json.loads(os.environ.get(name, "[]"))
    except ValueError:
        raise Problem("is not JSON") from None
    if not isinstance(origins, list) or not all(isinstance(origin, str) for origin in origins):
        raise Problem("is not a JSON list of origins")
    return tuple(origin.rstrip("/") for origin in origins)


def load() -> Settings:
    problems: list[str] = []

    def read(reader, name, *args):
        try:
            return reader(name, *args)
        except Problem as e:
            problems.append(f"{name} {e}")

    settings = Settings(
        jwt_key=read(_jwt_key, "JWT_SECRET_KEY"),
        passwords={
            "admin": read(_required, "AUTH_ADMIN_PASSWORD"),
            "user": read(_required, "AUTH_USER_PASSWORD"),
        },
        origins=read(_origins, "CORS_ORIGINS"),
        litellm_url=read(_url, "LITELLM_URL", "http://localhost:4000"),
        qdrant_url=read(_url, "QDRANT_URL", "http://localhost:6333"),
        mlflow_uri=read(_tracking_uri, "MLFLOW_TRACKING_URI", "http://localhost:5000"),
        tei_url=read(_url, "TEI_URL", "http://localhost:8080"),
        environment=os.environ.get("ENVIRONMENT", "development"),
    )
    if problems:
        raise SystemExit("The configuration is not valid: " + "; ".join(problems))
    return settings
