"""Requests that carry a secret where careless services log it: in a query, a header, a body that is not valid."""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from exercises.exam.ex6_structured_logging.planted import secret

PREFIX = "secret in "
_JSON = {"content-type": "application/json"}
_FORM = {"content-type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True, slots=True)
class Careless:
    """What is sent to an endpoint, and the secrets in it, with what they are."""

    endpoint: str
    secrets: Mapping[str, str]
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


def label(place: str) -> str:
    """Return the label of the request with its secret at a place."""
    return PREFIX + place


def sent_secrets(label: str, key: str) -> Mapping[str, str]:
    """Return the secrets that a request carried, with what they are; those that no experiment planted are not known."""
    make = PLACES.get(label.removeprefix(PREFIX)) if label.startswith(PREFIX) else None
    return make(key).secrets if make else {}


def _login(make: Callable[[str], Any]) -> Callable[[str], Careless]:
    """Return a login whose body `make` makes of a password; bytes are sent as they are."""

    def careless(key: str) -> Careless:
        typed = secret("password", key)
        content = make(typed)
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        headers = _FORM if body.startswith(b"username=") else _JSON
        return Careless("login", {typed: "a password that was typed in"}, headers=headers, body=body)

    return careless


def _query(endpoint: str, name: str) -> Callable[[str], Careless]:
    def careless(key: str) -> Careless:
        value = secret(name, key)
        return Careless(endpoint, {value: f"the {name} of a query string"}, query=f"{name}={value}")

    return careless


def _header(name: str, form: str) -> Callable[[str], Careless]:
    def careless(key: str) -> Careless:
        value = secret(name, key)
        what = f"what was sent as {name}"
        return Careless("me", {value: what}, headers={name: form.format(value)})

    return careless


def _basic(key: str) -> Careless:
    typed = secret("basic", key)
    encoded = base64.b64encode(f"admin:{typed}".encode()).decode()
    what = "the content of an Authorization header"
    return Careless("me", {typed: what, encoded: what}, headers={"authorization": f"Basic {encoded}"})


def _extra_field(name: str, form: str) -> Callable[[str], Careless]:
    def careless(key: str) -> Careless:
        value = secret(name, key)
        body = json.dumps({"model": 1, "prompt": None, name: form.format(value)}).encode()
        return Careless("ask", {value: f"the {name} of a body that is not valid"}, headers=_JSON, body=body)

    return careless


PLACES: dict[str, Callable[[str], Careless]] = {
    "a Bearer token": _header("authorization", "Bearer sk-{}"),
    "Authorization of another scheme": _header("authorization", "Token {}"),
    "Basic credentials": _basic,
    "X-API-Key": _header("x-api-key", "sk-{}"),
    "a cookie": _header("cookie", "session={}"),
    "Proxy-Authorization": _header("proxy-authorization", "Bearer {}"),
    "X-Auth-Token": _header("x-auth-token", "{}"),
    "a provider's key in a header": _header("x-goog-api-key", "AIza{}"),
    "a session in a header": _header("x-session-id", "{}"),
    "the query of /health": _query("alive", "access_token"),
    "the query of /auth/me": _query("me", "token"),
    "the query of /llm/models": _query("models", "api_key"),
    "the query of an unknown path": _query("unknown", "password"),
    "the query of a prompt": _query("ask", "key"),
    "the query of who one is": _query("me", "sig"),
    "the query of a login": _query("login", "secret"),
    "a wrong login": _login(lambda typed: {"username": "admin", "password": typed}),
    "a login of nobody": _login(lambda typed: {"username": "nobody", "password": typed}),
    "a login without a name": _login(lambda typed: {"password": typed}),
    "a login with an odd name": _login(lambda typed: {"username": float("nan"), "password": typed}),
    "a login with a list": _login(lambda typed: {"username": "admin", "password": [typed]}),
    "a login with an object": _login(lambda typed: {"username": "admin", "password": {"value": typed}}),
    "a login with half a character": _login(
        lambda typed: {"username": "admin", "password": f"{typed}\ud800"}
    ),
    "a login that is too long": _login(lambda typed: {"username": "admin", "password": typed * 100}),
    "a login as a form": _login(lambda typed: f"username=admin&password={typed}".encode()),
    "a login that breaks off": _login(lambda typed: f'{{"username": "admin", "password": "{typed}"'.encode()),
    "a prompt that is not valid": _extra_field("api_key", "sk-{}"),
    "a prompt with an unknown field": _extra_field("credentials", "{}"),
}
"""Where a secret is, and the request with it that follows from a key."""
