"""How the experiments of part 4 ask the model."""

import json
from typing import Any

from chaos.history import Answer, Failure
from lab.lab import Lab

PATIENCE_SECONDS = 35.0


async def ask(lab: Lab, key: str, *, label: str, token: str | None = None) -> Answer | Failure:
    """Ask for a whole answer."""
    return await _ask(lab, lab.ask_body(key), key, label, token)


async def ask_streamed(lab: Lab, key: str, *, label: str, token: str | None = None) -> Answer | Failure:
    """Ask for a stream, and read it to its end."""
    return await _ask(lab, json.loads(streamed_body(lab, key)), key, label, token)


def streamed_body(lab: Lab, key: str) -> bytes:
    """Return the body of a request for a stream that ends with its usage."""
    body = lab.ask_body(key) | {"stream": True, "stream_options": {"include_usage": True}}
    return json.dumps(body).encode()


async def _ask(lab: Lab, body: dict[str, Any], key: str, label: str, token: str | None) -> Answer | Failure:
    return await lab.client.json(
        "POST",
        lab.ask_path,
        body,
        label=label,
        key=key,
        token=token or lab.token,
        timeout=PATIENCE_SECONDS,
    )
