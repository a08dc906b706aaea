"""Logs: one JSON object a line on stdout, with the id of the request that the line is about."""

import json
import logging
import sys
from collections.abc import Iterable
from datetime import UTC, datetime

from src.middleware.request_id import current_request_id

_SHORTEST_REDACTED = 8
"""Characters. A shorter string occurs by chance, and blotting it out would garble the logs."""
_QUIET = ("anthropic", "httpcore2", "httpx2", "openai")
"""Libraries that log each call, some of them with its headers."""


class JsonFormatter(logging.Formatter):
    """Formats a record as JSON. `extra={"fields": {...}}` adds fields to it."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__()
        self._secrets = [secret for secret in secrets if len(secret) >= _SHORTEST_REDACTED]

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request_id := current_request_id():
            line["request_id"] = request_id
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return self._redacted(json.dumps(line, default=str))

    def _redacted(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(json.dumps(secret)[1:-1], "[redacted]")
        return text


def configure_logging(*, debug: bool, secrets: Iterable[str]) -> None:
    """Send every record to stdout, uvicorn's too, with `secrets` blotted out."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter(secrets))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.DEBUG if debug else logging.INFO)
    for name in ("uvicorn", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True
    # The service's own access log has the request id.
    logging.getLogger("uvicorn.access").disabled = True
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
