"""The errors that a service makes itself, without the model: what was asked wrongly, or what cannot be had."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from lab.axes import Axis
from lab.lab import Lab

DEPTH = 5_000
_WRONG_PASSWORD = "not-the-password"  # noqa: S105 - is wrong on purpose


@dataclass(frozen=True, slots=True)
class Wrong:
    """A request that a service answers with an error. `body` is sent as it is, `content` as JSON."""

    method: str
    path: str
    content: Any = None
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    token: str | None = None


def _asking(**changes: Any) -> Callable[[Lab], Wrong]:
    """Return a request for an answer with other fields; None takes a field away."""

    def make(lab: Lab) -> Wrong:
        fields = {**lab.ask_body(lab.key()), **changes}
        content = {name: value for name, value in fields.items() if value is not None}
        return Wrong("POST", lab.ask_path, content, token=lab.token)

    return make


def _sending(body: bytes, content_type: str = "application/json") -> Callable[[Lab], Wrong]:
    return lambda lab: Wrong(
        "POST", lab.ask_path, body=body, headers={"content-type": content_type}, token=lab.token
    )


def _asking_as(token: str | None) -> Callable[[Lab], Wrong]:
    return lambda lab: Wrong("POST", lab.ask_path, lab.ask_body(lab.key()), token=token)


def path_of(lab: Lab, endpoint: str) -> str:
    """Return the path of an endpoint; a contract that has none gets the answer for an unknown path."""
    return lab.contract.endpoints.get(endpoint, f"/{endpoint}")


def _getting(endpoint: str, method: str = "GET", *, token: bool = False) -> Callable[[Lab], Wrong]:
    return lambda lab: Wrong(method, path_of(lab, endpoint), token=lab.token if token else None)


def _logging_in(user: str, *, password: bool = True) -> Callable[[Lab], Wrong]:
    """Return a login with a wrong password, or with none."""

    def make(lab: Lab) -> Wrong:
        content = lab.contract.login_body(user, _WRONG_PASSWORD)
        fields = {name: value for name, value in content.items() if password or value != _WRONG_PASSWORD}
        return Wrong("POST", lab.login_path, fields)

    return make


OWN_ERRORS: Axis[Callable[[Lab], Wrong]] = Axis(
    "errors of its own",
    {
        "no token": _asking_as(None),
        "bad token": _asking_as("e30.e30.e30"),
        "no token for who one is": _getting("me"),
        "no token for the cache": _getting("cache_stats"),
        "no token to clear the cache": _getting("cache_clear", "DELETE"),
        "wrong password": _logging_in("admin"),
        "unknown user": _logging_in("nobody"),
        "login without a password": _logging_in("admin", password=False),
        "no prompt": _asking(prompt=None),
        "prompt of a wrong type": _asking(prompt={"text": 17}),
        "unknown model": _asking(model="no-such-model"),
        "temperature out of range": _asking(temperature=99),
        "no body": _sending(b""),
        "no JSON": _sending(b'{"model": '),
        "an array": _sending(b"[]"),
        "not UTF-8": _sending(b'{"model": "\xff\xfe"}'),
        "nested too deep": _sending(b"[" * DEPTH + b"]" * DEPTH),
        "a form": _sending(b"prompt=hello", "application/x-www-form-urlencoded"),
        "unknown path": lambda lab: Wrong("GET", f"/nowhere/{lab.key()}"),
        "wrong method": lambda lab: Wrong("GET", lab.ask_path, token=lab.token),
        "wrong method of a login": lambda lab: Wrong("DELETE", lab.login_path),
    },
)

PLAIN = (
    "no token",
    "bad token",
    "wrong password",
    "unknown user",
    "login without a password",
    "no prompt",
    "no JSON",
    "unknown path",
    "wrong method",
)
"""What is the caller's fault to every service."""
ODD = ("an array", "no body", "prompt of a wrong type", "temperature out of range", "unknown model")
"""What services may put up with or leave to the model; but none may crash."""
