"""Input that is too large, too deep, or made to do harm."""

import re
import urllib.parse
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from chaos.history import Answer, Failure
from lab.axes import Axis
from lab.lab import Lab

LARGE_BYTES = 40 * 2**20
DEPTH = 100_000
EVIL_HEADER = "x-evil"
_PIECE = b"x" * 65536
_HEADER_CHARACTERS = 4000
_PATH_CHARACTERS = 2000

TEXTS: Axis[str] = Axis(
    "hostile texts",
    {
        "SQL": "x'; DROP TABLE users; DROP TABLE api_keys; DROP TABLE usage; --",
        "line breaks": f"x\r\n{EVIL_HEADER}: 1\r\n\r\nx",
        "NUL": "x\0y",
        "half a character": "x\ud800y",
        "template": "{0.__class__} {{7*7}} ${jndi:ldap://localhost/x} %s%n <script>alert(1)</script>",
        "long": "x" * 20_000,
    },
)

Place = Callable[[Lab, str, str, str], Awaitable[Answer | Failure]]
"""Sends a text in one place of a request; takes the text, a token of an administrator's and a label."""


async def _login(lab: Lab, text: str, _token: str, label: str) -> Answer | Failure:
    assert lab.contract.login
    return await lab.client.json("POST", lab.login_path, lab.contract.login_body(text, text), label=label)


async def _model(lab: Lab, text: str, token: str, label: str) -> Answer | Failure:
    key = lab.key()
    body = lab.ask_body(key) | {"model": text}
    return await lab.client.json("POST", lab.ask_path, body, label=label, key=key, token=token)


async def _key_name(lab: Lab, text: str, token: str, label: str) -> Answer | Failure:
    return await lab.client.json("POST", lab.endpoint("keys"), {"name": text}, label=label, token=token)


async def _key_id(lab: Lab, text: str, token: str, label: str) -> Answer | Failure:
    path = f"{lab.endpoint('keys')}/{_quoted(text)}"
    return await lab.client.request("DELETE", path, label=label, token=token)


async def _usage_of(lab: Lab, text: str, token: str, label: str) -> Answer | Failure:
    return await lab.get(f"{lab.endpoint('usage')}?user={_quoted(text)}", label=label, token=token)


async def _api_key(lab: Lab, text: str, _token: str, label: str) -> Answer | Failure:
    return await lab.get(lab.endpoint("models"), label=label, headers={"X-API-Key": _header(text)})


async def _bearer(lab: Lab, text: str, _token: str, label: str) -> Answer | Failure:
    headers = {"Authorization": f"Bearer {_header(text)}"}
    return await lab.get(lab.endpoint("models"), label=label, headers=headers)


async def _request_id(lab: Lab, text: str, token: str, label: str) -> Answer | Failure:
    headers = {"X-Request-ID": _header(text)}
    return await lab.get(lab.endpoint("models"), label=label, headers=headers, token=token)


PLACES: Axis[Place] = Axis(
    "places",
    {
        "login": _login,
        "model": _model,
        "name of a key": _key_name,
        "id of a key": _key_id,
        "user of a report": _usage_of,
        "X-API-Key": _api_key,
        "Authorization": _bearer,
        "X-Request-ID": _request_id,
    },
)


async def send_large(lab: Lab, token: str, *, label: str, chunked: bool) -> Answer | Failure:
    """Ask the model with a prompt of `LARGE_BYTES`; `chunked` does not announce the size."""
    head, tail = b'{"model": "%s", "messages": [{"role": "user", "content": "', b'"}]}'
    pieces = [head % lab.model.encode(), *[_PIECE] * (LARGE_BYTES // len(_PIECE)), tail]
    headers = {"content-type": "application/json"}
    return await lab.client.request(
        "POST",
        lab.ask_path,
        label=label,
        body=pieces,
        chunked=chunked,
        headers=headers,
        token=token,
        timeout=20,
    )


def deep_bodies(lab: Lab) -> Iterator[tuple[str, bytes]]:
    """Yield paths, each with a body in which lists or objects are nested `DEPTH` deep."""
    lists, objects = b"[" * DEPTH + b"]" * DEPTH, b'{"a":' * DEPTH + b"1" + b"}" * DEPTH
    yield lab.ask_path, b'{"model": "%s", "messages": %s}' % (lab.model.encode(), lists)
    yield lab.endpoint("embeddings"), b'{"model": "%s", "input": %s}' % (lab.model.encode(), lists)
    yield lab.login_path, objects
    yield lab.endpoint("keys"), objects


def headers_of(end: Any) -> dict[str, str]:
    """Return the headers of an answer; none of anything else."""
    return end.headers if isinstance(end, Answer) else {}


def _quoted(text: str) -> str:
    return urllib.parse.quote(text.encode(errors="surrogatepass"), safe="")[:_PATH_CHARACTERS]


def _header(text: str) -> str:
    """Return what HTTP lets stand in a header: another byte for each character that it does not."""
    return re.sub(r"[^\x20-\x7e]", "\xff", text)[:_HEADER_CHARACTERS].strip()
