"""What the experiments of exercise 6 send along, and its checks look for. All of it follows from a request's key."""

import base64
import hashlib
import uuid
from collections.abc import Callable

from chaos.history import Request

HEADER = "x-request-id"
LONG = 10_000
_LETTERS = "abcdef"


def request_id(key: str) -> str:
    """Return a version 4 UUID, the form that every rule for sane ids allows.

    Digits and letters alternate, so that no filter takes it for a telephone or card number.
    """
    digest = hashlib.sha256(f"id/{key}".encode()).digest()
    digits = "".join(f"{byte % 10}{_LETTERS[byte // 10 % 6]}" for byte in digest[:16])
    return str(uuid.UUID(f"{digits[:12]}4{digits[13:16]}8{digits[17:]}"))


def sent_id(request: Request) -> str | None:
    """Return the sane id that a request was sent with; None where it had none, or a hostile one."""
    return None if request.label.startswith(HOSTILE_PREFIX) else request.headers.get(HEADER)


def password(key: str) -> str:
    """Return a password that somebody typed at the wrong place."""
    return _secret("password", key)


def api_key(key: str) -> str:
    """Return an API key as model providers give them out."""
    return f"sk-{_secret('api-key', key)}"


def basic_credentials(key: str) -> str:
    """Return what follows `Basic` in an Authorization header."""
    return base64.b64encode(f"admin:{password(key)}".encode()).decode()


_TYPED = ("a password that was typed in", password)
SECRETS: dict[str, tuple[str, Callable[[str], str]]] = {
    "api-key": ("an API key that was sent as a token", api_key),
    "basic": ("the content of an Authorization header", basic_credentials),
    "wrong-password": _TYPED,
    "missing-username": _TYPED,
    "odd-username": _TYPED,
}
"""What requests with these labels carry: what it is, and how it follows from their key."""

HOSTILE_PREFIX = "hostile-"
HOSTILE: dict[str, Callable[[str], str]] = {
    "quotes": lambda mark: f'{mark}","{planted_name(mark)}":"',
    "braces": lambda mark: f"{mark}{{0}}{{name}}%s%(name)d",
    "spaces": lambda mark: f"{mark} level=critical forged",
    "non-ascii": lambda mark: f"{mark}-\u00e9\u2028\u2603".encode().decode("latin-1"),
    "escape": lambda mark: f"{mark}\x1b[31mred\x1b[0m",
    "long": lambda mark: mark + "a" * LONG,
}
"""Ids that break what is put together without care: JSON, format strings, `key=value` lines, terminals, storage."""


def hostile_id(kind: str, key: str) -> str:
    """Return the hostile id of a kind that goes with the request with this key, as bytes in Latin-1."""
    return HOSTILE[kind](mark(key))


def mark(key: str) -> str:
    """Return what stands in the hostile id of the request with this key, and nowhere else."""
    return _secret("hostile", key)[:16]


def planted_name(mark: str) -> str:
    """Return the name of a field that stands in a record only where a quote of the id has ended its string."""
    return f"planted-{mark}"


def _secret(what: str, key: str) -> str:
    return hashlib.sha256(f"{what}/{key}".encode()).hexdigest()[:40]
