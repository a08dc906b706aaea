"""Logs: logfmt lines, each with the id of its request."""

import logging
import logging.config

from src.middleware.request_id import current


class WithRequestId(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = current.get()
        return True


CONFIG = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"id": {"()": WithRequestId}},
    "formatters": {"logfmt": {"format": "level=%(levelname)s logger=%(name)s request_id=%(request_id)s msg=%(message)r"}},
    "handlers": {"out": {"class": "logging.StreamHandler", "filters": ["id"], "formatter": "logfmt"}},
    "root": {"level": "INFO", "handlers": ["out"]},
    "loggers": {"django": {"level": "ERROR"}},
}
