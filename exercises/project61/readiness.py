"""Waits for what a service does in the background after its start."""

import asyncio

from chaos.history import Answer
from chaos.http_client import Client
from lab.lab import Lab

PATIENCE_SECONDS = 15.0
POLL_SECONDS = 0.2


async def wait_for_database(lab: Lab, client: Client | None = None) -> None:
    """Wait until the service, or the instance of `client`, can read API keys, and so has its tables; for 15 s at most."""
    client = client or lab.client
    deadline = lab.recorder.now() + PATIENCE_SECONDS
    while lab.recorder.now() < deadline:
        end = await client.request("GET", lab.endpoint("keys"), label="ready", token=lab.token)
        if isinstance(end, Answer) and end.status < 500:
            return
        await asyncio.sleep(POLL_SECONDS)
