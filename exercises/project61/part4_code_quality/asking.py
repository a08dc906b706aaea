"""How the experiments of part 4 ask the model."""

from typing import Any

from chaos.history import Answer, Failure
from exercises.project61.chat import streamed_body
from lab.lab import Lab

PATIENCE_SECONDS = 35.0


async def ask(lab: Lab, key: str, *, label: str, token: str | None = None) -> Answer | Failure:
    """Ask for a whole answer."""
    return await _ask(lab, lab.ask_body(key), key, label, token)


async def ask_streamed(lab: Lab, key: str, *, label: str, token: str | None = None) -> Answer | Failure:
    """Ask for a stream, and read it to its end."""
    return await _ask(lab, streamed_body(lab, key), key, label, token)


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
