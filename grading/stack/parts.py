"""What every stack is asked: whether its parts answer, which faults are on, and for a token."""

from dataclasses import dataclass

import httpx

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


def log_in(service: str, password: str) -> str:
    """Log in to the service at a URL as admin and return the token; raises UsageError where that does not work."""
    credentials = {"username": "admin", "password": password}
    try:
        answer = httpx.post(f"{service}/auth/login", json=credentials, trust_env=False, timeout=PROBE_SECONDS)
    except httpx.HTTPError as error:
        raise UsageError(f"The service does not answer ({type(error).__name__}).") from error
    try:
        return str(answer.json()["access_token"])
    except (ValueError, KeyError, TypeError):
        raise UsageError(f"POST /auth/login answers {answer.status_code}, and no access_token.") from None
