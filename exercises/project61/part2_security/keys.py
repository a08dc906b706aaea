"""API keys in the experiments: made, used, and revoked."""

import asyncio
import urllib.parse
from dataclasses import dataclass

from chaos.history import Answer, Failure
from chaos.http_client import Client
from exercises.project61.part2_security.plan import REVOKED_SECONDS, call
from lab.lab import Lab
from lab.reading import as_json

LONGEST = 1000
POLL_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Key:
    """A key and its id; both are empty if the service has made none."""

    id: str = ""
    text: str = ""


def key_of(end: Answer | Failure | None) -> Key:
    """Return the key that an answer to POST /v1/api-keys holds."""
    if not isinstance(end, Answer) or end.status not in {200, 201}:
        return Key()
    body = as_json(end.body)
    text, number = (body.get("key"), body.get("id")) if isinstance(body, dict) else (None, None)
    legible = isinstance(text, str) and text.isascii() and text.isprintable() and len(text) <= LONGEST
    if not legible or not isinstance(number, str | int):
        return Key()
    return Key(str(number)[:LONGEST], str(text).strip())


async def create(lab: Lab, token: str, *, label: str) -> Key:
    """Have the service make a key."""
    return key_of(await call(lab, "new key", label=label, token=token))


async def use(
    lab: Lab, key: Key, how: str, endpoint: str, *, label: str, client: Client | None = None
) -> Answer | Failure:
    """Send a request with a key, presented as `Bearer` or as `X-API-Key`."""
    if how == "Bearer":
        return await call(lab, endpoint, label=label, token=key.text, client=client)
    return await call(lab, endpoint, label=label, headers={"X-API-Key": key.text}, client=client)


async def revoke(lab: Lab, key: Key, token: str, *, label: str) -> None:
    """Revoke a key with this token."""
    path = f"{lab.endpoint('keys')}/{urllib.parse.quote(key.id, safe='')}"
    await lab.client.request("DELETE", path, label=label, token=token)


async def use_until_refused(
    lab: Lab, key: Key, how: str, *, label: str, client: Client | None = None
) -> None:
    """Use a revoked key until it is refused, or for a little longer than it may still work."""
    deadline = lab.recorder.now() + REVOKED_SECONDS
    while True:
        late = lab.recorder.now() > deadline
        end = await use(lab, key, how, "models", label=label, client=client)
        if late or (isinstance(end, Answer) and end.status == 401):
            return
        await asyncio.sleep(POLL_SECONDS)
