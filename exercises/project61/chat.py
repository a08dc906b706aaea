"""Chats that are left open, what the backend is to report for them, and which model it was asked for."""

import json
from collections.abc import Mapping
from typing import Any

from chaos.history import Exchange, History
from chaos.raw_connection import RawConnection
from lab.lab import Lab


async def open_chat(lab: Lab, label: str, key: str, body: Mapping[str, Any]) -> RawConnection:
    """Send a chat on a connection of its own. What is read from it, and when it is closed, is the caller's business."""
    connection = await RawConnection.open(lab.client, label)
    connection.send(
        "POST",
        lab.ask_path,
        body=json.dumps(body).encode(),
        headers={"content-type": "application/json"},
        token=lab.token,
        key=key,
    )
    return connection


def streamed_body(lab: Lab, key: str) -> dict[str, Any]:
    """Return the body of a request for a stream that ends with its usage."""
    return lab.ask_body(key) | {"stream": True, "stream_options": {"include_usage": True}}


def usage_to_report(key: str) -> tuple[int, int]:
    """Return prompt and completion tokens for a key, which nobody gets by counting the texts."""
    digits = int("".join(character for character in key if character.isdigit()))
    return 1000 + digits % 9000, 500 + digits % 499


def model_called(history: History, exchange: Exchange) -> str:
    """Return the model that the backend was asked for last in a request; an empty string if it was not asked."""
    calls = history.calls(key=exchange.request.key)
    return (calls[-1].call.model or "") if calls else ""
