"""What every stack is asked: whether its parts answer, which faults are on, and for a token."""

from dataclasses import dataclass
from typing import Any

import httpx

from chaos.contract import Contract, field
from chaos.toxiproxy import Proxy
from grading.errors import UsageError

PROBE_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a stack as it was found: whether it answers, and what else is to be said of it."""

    name: str
    address: str
    up: bool
    note: str = ""


def get(url: str) -> httpx.Response | None:
    """The answer to a GET; None where there is none, or no success."""
    try:
        answer = httpx.get(url, trust_env=False, timeout=PROBE_SECONDS)
    except httpx.HTTPError:
        return None
    return answer if answer.is_success else None


def proxies(control: str) -> dict[str, Proxy] | None:
    """The proxies of the fault proxy at a URL, by name; None where it does not answer."""
    answer = get(f"{control}/proxies")
    return (
        None if answer is None else {name: Proxy.model_validate(one) for name, one in answer.json().items()}
    )


def faults(proxy: Proxy) -> list[str]:
    """What is wrong on the way through a proxy, in a few words each."""
    return [f"toxic {toxic.name}" for toxic in proxy.toxics] if proxy.enabled else ["cut off by its proxy"]


def log_in(service: str, contract: Contract, password: str) -> str:
    """Log in to the service at a URL as the contract's first user and return the token.

    Raises UsageError where that does not work.
    """
    login = contract.login
    if login is None:
        raise UsageError("The contract of this service has no login, so there is no token.")
    body = contract.login_body(next(iter(contract.users.values())).name, password)
    sent: dict[str, Any] = {"data": body} if login.encoding == "form" else {"json": body}
    try:
        answer = httpx.post(f"{service}{login.path}", **sent, trust_env=False, timeout=PROBE_SECONDS)
    except httpx.HTTPError as error:
        raise UsageError(f"The service does not answer ({type(error).__name__}).") from error
    try:
        token = field(answer.json(), login.token)
    except ValueError:
        token = None
    if not token:
        raise UsageError(f"POST {login.path} answers {answer.status_code}, and no {login.token}.")
    return str(token)
