"""How the experiments of part 7 ask the model."""

from collections.abc import Mapping
from typing import Any

from chaos.history import Answer, Failure
from chaos.http_client import Client
from exercises.project61.chat import streamed_body
from exercises.project61.part7_bonus.axes import STREAMED, WHOLE
from lab.lab import Lab

PATIENCE_SECONDS = 35.0


async def ask(
    lab: Lab,
    kind: str = WHOLE,
    *,
    label: str,
    token: str,
    key: str | None = None,
    model: str | None = None,
    headers: Mapping[str, str] | None = None,
    client: Client | None = None,
) -> Answer | Failure:
    """Ask for an answer of this kind, by default for a new prompt and the usual model."""
    key = key or lab.key()
    body = streamed_body(lab, key) if kind == STREAMED else lab.ask_body(key)
    return await (client or lab.client).json(
        "POST",
        lab.ask_path,
        body | {"model": model or lab.model},
        label=label,
        key=key,
        token=token,
        headers=headers or {},
        timeout=PATIENCE_SECONDS,
    )


async def ask_question(
    lab: Lab, text: str, key: str, *, label: str, token: str, **fields: Any
) -> Answer | Failure:
    """Ask a question that names a key, at a temperature of 0 unless `fields` say otherwise."""
    body = {
        "model": lab.model,
        "messages": [{"role": "user", "content": text.format(key=key)}],
        "temperature": 0,
    }
    return await lab.client.json(
        "POST",
        lab.ask_path,
        body | fields,
        label=label,
        key=key,
        token=token,
        timeout=PATIENCE_SECONDS,
    )
