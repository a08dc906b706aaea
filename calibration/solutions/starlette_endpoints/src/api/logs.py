"""loguru for everything: our own records and those of the standard library's loggers."""

import inspect
import logging
import sys
import warnings

from loguru import logger
from starlette_context import context


class InterceptHandler(logging.Handler):
    """From loguru's README."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            level: str | int = logger.level(record.levelname).name
        except ValueError:
            level = record.levelno
        frame, depth = inspect.currentframe(), 0
        while frame and (depth == 0 or frame.f_code.co_filename == logging.__file__):
            frame = frame.f_back
            depth += 1
        logger.opt(depth=depth, exception=record.exc_info).log(level, "{}", record.getMessage())


def _add_request_id(record) -> None:
    if context.exists():
        record["extra"].setdefault("request_id", context.get("X-Request-ID"))


def configure_logging() -> None:
    logger.remove()
    # Without `diagnose`: it writes the values of variables, and so passwords, into tracebacks.
    logger.add(sys.stderr, serialize=True, level="INFO", backtrace=False, diagnose=False)
    logger.configure(patcher=_add_request_id)
    logging.basicConfig(handlers=[InterceptHandler()], level=logging.INFO, force=True)
    for name in ("httpx", "urllib3"):
        logging.getLogger(name).setLevel(logging.WARNING)
    warnings.showwarning = lambda message, category, *_, **__: logger.warning("{}: {}", category.__name__, message)
