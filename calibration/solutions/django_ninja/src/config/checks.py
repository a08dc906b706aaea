"""What the environment must be like. Messages name variables, never values."""

import re
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured
from environ import Env

WELL_KNOWN = re.compile(r"change.?me|secret|password|default|example|123456789", re.IGNORECASE)


def secret_key(env: Env, name: str) -> str:
    key: str = env.str(name)
    if len(key) < 32:
        raise ImproperlyConfigured(f"{name} must have at least 32 characters")
    if WELL_KNOWN.search(key) or len(set(key)) < 8:
        raise ImproperlyConfigured(f"{name} is a well-known value, generate a random one")
    return key


def password(env: Env, name: str) -> str:
    value: str = env.str(name)
    if not value:
        raise ImproperlyConfigured(f"{name} is empty")
    return value


def address(env: Env, name: str, default: str) -> str:
    value: str = env.str(name, default=default)
    try:
        parts = urlsplit(value)
        valid = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        valid = False
    if not valid or " " in value:
        raise ImproperlyConfigured(f"{name} must be an http or https URL with a host")
    return value.rstrip("/")


def origins(env: Env, name: str) -> list[str]:
    try:
        value = env.json(name, default=[])
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a JSON list") from None
    if not isinstance(value, list) or not all(isinstance(origin, str) for origin in value):
        raise ImproperlyConfigured(f"{name} must be a JSON list of origins")
    return value
