"""Sends bodies under and over the limit of 1 MB, whole or without their ends."""

import asyncio
import json

from exercises.exam.ex3_timeouts_limits_breaker import axes
from exercises.exam.ex3_timeouts_limits_breaker.axes import Body
from lab.lab import Lab

PATIENCE_SECONDS = 10.0
PIECE = 64 * 1024


async def send_bodies(lab: Lab) -> None:
    """Send each kind of body to each endpoint that takes one, all at once; to ask the model takes a token."""
    sizes = [*lab.vary(axes.SMALL_BODIES), *lab.vary(axes.LARGE_BODIES)]
    endpoints = [name for name, _ in lab.vary(axes.WITH_BODY) if name == "login" or lab.token]
    await asyncio.gather(
        *(_send(lab, endpoint, name, body) for endpoint in endpoints for name, body in sizes)
    )


def label(endpoint: str, name: str) -> str:
    """Return the label of the request that sends a kind of body to an endpoint."""
    return f"{name} to {endpoint}"


async def _send(lab: Lab, endpoint: str, name: str, body: Body) -> None:
    key = lab.key() if endpoint == "ask" else None
    sent = body.sent or body.size
    await lab.client.request(
        "POST",
        lab.login_path if key is None else lab.ask_path,
        label=label(endpoint, name),
        key=key,
        body=_padded(_content(lab, key), sent, body.size),
        withheld=body.size - sent,
        chunked=body.chunked,
        headers={"content-type": body.content_type},
        token=lab.token if key and body.token else None,
        timeout=PATIENCE_SECONDS,
    )


def _content(lab: Lab, key: str | None) -> bytes:
    if key is not None:
        return json.dumps(lab.ask_body(key)).encode()
    assert lab.contract.login
    user = next(iter(lab.contract.users.values()))
    return json.dumps(lab.contract.login_body(user.name, lab.secrets[user.password])).encode()


def _padded(document: bytes, sent: int, size: int) -> list[bytes]:
    """Return `sent` bytes, in pieces, of a JSON document that white space makes `size` bytes long."""
    blanks = b" " * (sent - len(document))
    whole = document[:-1] + blanks + (document[-1:] if sent == size else b" ")
    return [whole[start : start + PIECE] for start in range(0, sent, PIECE)]
