"""JSON lines by structlog."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog


def configure(debug: bool, secrets: list[str]) -> None:
    def redact(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        for key, value in event.items():
            for secret in filter(None, secrets):
                if isinstance(value, str) and secret in value:
                    value = value.replace(secret, "[redacted]")
            event[key] = value
        return event

    level = logging.DEBUG if debug else logging.INFO
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            redact,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
