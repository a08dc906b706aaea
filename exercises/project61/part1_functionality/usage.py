"""Reads the answers of `GET /v1/usage`."""

import json
from typing import Any

from chaos.history import Answer, Failure


def tokens_used(end: Answer | Failure | None) -> tuple[int, int] | None:
    """Return the prompt and completion tokens in an answer: in its `total` or `totals`, or at its top; None if it has none."""
    if not isinstance(end, Answer) or end.status != 200:
        return None
    try:
        body: Any = json.loads(end.body)
    except (ValueError, RecursionError):
        return None
    found = body.get("total", body.get("totals", body)) if isinstance(body, dict) else None
    if not isinstance(found, dict):
        return None
    prompt, completion = found.get("prompt_tokens"), found.get("completion_tokens")
    if not isinstance(prompt, int) or not isinstance(completion, int):
        return None
    return prompt, completion
