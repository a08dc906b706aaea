"""Work that a service can be asked for, on a new connection or on one that the lab holds."""

import json
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field

from chaos.history import Answer, Failure
from chaos.raw_connection import RawConnection
from lab.lab import Lab

_JSON = {"content-type": "application/json"}
_FORM = {"content-type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True, slots=True)
class Work:
    """A request that is not one of those by which a service tells how it is."""

    method: str
    path: str
    token: str | None = None
    key: str | None = None
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    async def ask(self, lab: Lab, *, label: str, timeout: float) -> Answer | Failure:
        """Ask for it on a new connection."""
        return await lab.client.request(
            self.method,
            self.path,
            label=label,
            body=self.body,
            headers=self.headers,
            token=self.token,
            key=self.key,
            timeout=timeout,
        )

    def send(self, connection: RawConnection, *, share: float = 1.0) -> None:
        """Ask for it on a connection that stays open, with a share of the body alone if that is less than 1."""
        connection.send(
            self.method,
            self.path,
            body=self.body,
            upto=None if share == 1.0 else int(share * len(self.body)),
            headers=self.headers,
            token=self.token,
            key=self.key,
        )


def work(lab: Lab, kind: str, *, key: str | None = None) -> Work:
    """Return a request for new work of one of the kinds that the axes name."""
    match kind:
        case "a login":
            return _login(lab)
        case "the models":
            return _of_endpoint(lab, "GET", "models")
        case "who one is":
            return _of_endpoint(lab, "GET", "me")
        case "emptying the cache":
            return _of_endpoint(lab, "DELETE", "cache_clear")
        case "the cache's numbers":
            return _of_endpoint(lab, "GET", "cache_stats")
        case _:
            key = key or lab.key()
            body = json.dumps(lab.ask_body(key)).encode()
            return Work("POST", lab.ask_path, lab.token or None, key, body, _JSON)


def _of_endpoint(lab: Lab, method: str, endpoint: str) -> Work:
    return Work(method, lab.endpoint(endpoint), lab.token or None)


def _login(lab: Lab) -> Work:
    login = lab.contract.login
    assert login
    user = next(iter(lab.contract.users.values()))
    fields = lab.contract.login_body(user.name, lab.secrets[user.password])
    if login.encoding == "form":
        return Work("POST", login.path, body=urllib.parse.urlencode(fields).encode(), headers=_FORM)
    return Work("POST", login.path, body=json.dumps(fields).encode(), headers=_JSON)
