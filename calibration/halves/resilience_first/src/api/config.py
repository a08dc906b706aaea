import json
import os
import sys
from dataclasses import dataclass, field
from urllib.parse import urlsplit


class Problems(Exception):
    pass


@dataclass(frozen=True)
class Config:
    jwt_key: bytes = field(repr=False)
    passwords: dict[str, str] = field(repr=False)
    origins: tuple[str, ...]
    litellm: str
    qdrant: str
    mlflow: str
    environment: str = "production"
    deadline: float = 22.0
    max_body: int = 1_000_000


def _text(env: dict[str, str], name: str) -> str:
    value = env.get(name, "")
    if not value:
        raise Problems(f"{name} is not set")
    return value


def _key(env: dict[str, str]) -> bytes:
    key = _text(env, "JWT_SECRET_KEY")
    if len(key) < 32:
        raise Problems("JWT_SECRET_KEY is too short: 32 characters are the minimum")
    return key.encode()


def _url(env: dict[str, str], name: str) -> str:
    value = _text(env, name)
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise Problems(f"{name} is not an http(s) URL")
    return value.rstrip("/")


def _origins(env: dict[str, str]) -> tuple[str, ...]:
    try:
        origins = json.loads(env.get("CORS_ORIGINS") or "[]")
    except ValueError:
        raise Problems("CORS_ORIGINS is not a JSON list") from None
    if not isinstance(origins, list) or "*" in origins:
        raise Problems("CORS_ORIGINS has to be a JSON list of origins")
    return tuple(map(str, origins))


def read(env: dict[str, str]) -> Config:
    return Config(
        jwt_key=_key(env),
        passwords={"admin": _text(env, "AUTH_ADMIN_PASSWORD"), "user": _text(env, "AUTH_USER_PASSWORD")},
        origins=_origins(env),
        litellm=_url(env, "LITELLM_URL"),
        qdrant=_url(env, "QDRANT_URL"),
        mlflow=_url(env, "MLFLOW_TRACKING_URI"),
        environment=env.get("ENVIRONMENT", "production"),
    )


def load() -> Config:
    try:
        return read(dict(os.environ))
    except Problems as problem:
        sys.stderr.write(json.dumps({"severity": "CRITICAL", "msg": f"refusing to start: {problem}"}) + "\n")
        sys.exit(78)
