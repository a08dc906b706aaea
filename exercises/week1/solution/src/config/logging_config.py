"""Logs: one line for each event on stdout, with the id of the request that it is about."""

import logging
import sys

from src.middleware.request_id import current_request_id

_FORMAT = "%(asctime)s %(levelname)s [%(request_id)s] %(name)s: %(message)s"
_QUIET = ("httpcore2", "httpx2", "openai")


def add_request_id(record: logging.LogRecord) -> bool:
    """Give a record the id of the current request, or `-` outside of one. Lets every record pass."""
    record.request_id = current_request_id() or "-"
    return True


def configure_logging() -> None:
    """Send every record to stdout, uvicorn's too."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter(_FORMAT))
    handler.addFilter(add_request_id)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    for name in ("uvicorn", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True
    # The service logs each request itself, with its id.
    logging.getLogger("uvicorn.access").disabled = True
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
