"""One JSON object a line, whoever wrote it: this service, uvicorn, a library, a warning, an uncaught exception."""

import json
import logging
import re
import sys
import threading
from collections.abc import Iterable
from types import TracebackType

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

# These tell what our own records tell better, with the request's id.
_QUIET = ("aiohttp", "httpx", "httpcore")
_BEARER = r"\beyJ[\w-]+\.[\w-]+\.[\w-]*|\bllm_[A-Za-z0-9]{16}_[\w-]+|(?<=[Bb]earer )[\w.~+/=-]+"

_STAMP: tuple[Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)


def configure_logging(level: str = "INFO", *, secrets: Iterable[str] = ()) -> None:
    """Send every record to stdout as JSON, with `secrets`, bearer tokens and API keys blotted out wherever they turn up."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_STAMP,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_STAMP,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                # Local variables hold passwords and prompts.
                structlog.processors.ExceptionRenderer(
                    structlog.tracebacks.ExceptionDictTransformer(show_locals=False, max_frames=20)
                ),
                _strip_message,
                structlog.processors.EventRenamer("message"),
                _RedactingRenderer(secrets),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True
    # Our own access record has the duration and the request's id as well.
    access = logging.getLogger("uvicorn.access")
    access.handlers, access.propagate = [], False
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)
    logging.raiseExceptions = False  # a record that cannot be formatted must not become plain text on stderr
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_in_thread
    sys.unraisablehook = _log_unraisable


def _strip_message(_logger: WrappedLogger, _method: str, record: EventDict) -> EventDict:
    record["event"] = str(record["event"]).strip()
    return record


class _RedactingRenderer(structlog.processors.JSONRenderer):
    """Works on the finished line, so that nothing slips through in a nested value or a traceback."""

    def __init__(self, secrets: Iterable[str]) -> None:
        super().__init__(default=repr)
        forms = sorted((json.dumps(secret)[1:-1] for secret in secrets), key=len, reverse=True)
        self._sensitive = re.compile("|".join([*map(re.escape, forms), _BEARER]))

    def __call__(self, logger: WrappedLogger, name: str, event_dict: EventDict) -> str:
        line = super().__call__(logger, name, event_dict)
        return self._sensitive.sub("[redacted]", line if isinstance(line, str) else line.decode())


_log = structlog.get_logger("api.uncaught")


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        _log.critical("uncaught exception", exc_info=(kind, error, trace))


def _log_uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None and not issubclass(args.exc_type, SystemExit):
        _log_uncaught(args.exc_type, args.exc_value, args.exc_traceback)


def _log_unraisable(args: "sys.UnraisableHookArgs") -> None:
    info = (args.exc_type, args.exc_value, args.exc_traceback) if args.exc_value is not None else None
    _log.error("exception ignored", where=repr(args.object), exc_info=info)
