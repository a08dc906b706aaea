import logging
import sys
import time
import traceback
from contextvars import ContextVar

import msgspec

request_id_var: ContextVar[str | None] = ContextVar("request_id", default=None)
_STANDARD = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message", "taskName"}


class Line(logging.Formatter):
    converter = time.gmtime

    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "@timestamp": self.formatTime(record, "%Y-%m-%dT%H:%M:%S") + f".{int(record.msecs):03d}Z",
            "log": {"level": record.levelname.lower(), "logger": record.name},
            "message": record.getMessage(),
            "request_id": request_id_var.get(),
        }
        if extra := {key: value for key, value in vars(record).items() if key not in _STANDARD}:
            fields["extra"] = extra
        if record.exc_info and record.exc_info[1]:
            error = record.exc_info[1]
            fields["error"] = {"type": type(error).__name__, "stack": "".join(traceback.format_exception(error))}
        return msgspec.json.encode(fields, enc_hook=str).decode()


def configure() -> None:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(Line())
    root = logging.getLogger()
    root.handlers, root.level = [handler], logging.INFO
    for name in list(logging.root.manager.loggerDict):
        if name.startswith("uvicorn"):
            logging.getLogger(name).handlers = []
            logging.getLogger(name).propagate = True
    # Ours tells the same without the query, which may hold a token.
    logging.getLogger("uvicorn.access").setLevel("WARNING")
    logging.getLogger("httpx").setLevel("WARNING")
    logging.getLogger("httpcore").setLevel("WARNING")
    logging.captureWarnings(True)
