"""Reads the context of an error answer, wherever the page allows it to stand."""

import json
from typing import Any

from chaos.history import Answer, Exchange, History

FIELDS = ("error", "message", "incident_id", "timestamp")
NESTED = ("detail", "error")


def every_error(history: History) -> list[Exchange]:
    """Return every exchange that ended in an error: an answer of 400 and above, but for the report of readiness."""
    readiness = history.contract.endpoints.get("readiness")
    return [
        exchange
        for exchange in history.exchanges()
        if exchange.status and exchange.status >= 400 and exchange.request.path != readiness
    ]


def context(answer: Answer) -> dict[str, Any]:
    """Return the fields of an error body: at its top, under `detail`, or as OpenAI has them under `error`.

    There, `code` or `type` say what the error is.
    """
    try:
        body = json.loads(answer.body)
    except (ValueError, RecursionError):
        return {}
    fields: dict[str, Any] = dict(body) if isinstance(body, dict) else {}
    for name in NESTED:
        inner = fields.get(name)
        if isinstance(inner, dict):
            fields = {**fields, **inner}
            if name == "error" and "error" not in inner:
                fields["error"] = inner.get("code") or inner.get("type")
    return fields
