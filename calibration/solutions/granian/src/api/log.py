import logging
from contextvars import ContextVar
from datetime import UTC, datetime

import orjson

current: ContextVar[str | None] = ContextVar("current", default=None)


class Orjson(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "timestamp": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            "logger": record.name,
            "requestId": current.get(),
        }
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        # orjson refuses halves of surrogate pairs; they are none of a log's business either.
        return orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def get(name: str) -> "Log":
    return Log(logging.getLogger(name), {})


class Log(logging.LoggerAdapter):
    def process(self, msg, kwargs):
        exc_info = kwargs.pop("exc_info", None)
        fields = {key: kwargs.pop(key) for key in list(kwargs) if key not in ("stacklevel", "extra")}
        safe = str(msg).encode("utf-8", "replace").decode()
        return safe, {"extra": {"fields": fields}, "exc_info": exc_info}
