import datetime
import json
import logging
from contextvars import ContextVar

trace_id = ContextVar("trace_id", default="-")


class AsJson(logging.Formatter):
    def format(self, record):
        entry = {
            "timestamp": datetime.datetime.fromtimestamp(record.created).astimezone().isoformat(),
            "level": record.levelno,
            "levelname": record.levelname,
            "module": record.name,
            "thread": record.threadName,
            "event": record.getMessage(),
            "trace_id": trace_id.get(),
        }
        entry.update(getattr(record, "data", {}))
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=repr)


def without_query(record):
    """Take the query off the paths of the server's access records: it may hold what is not for logs."""
    if record.args:
        record.args = tuple(arg.partition("?")[0] if isinstance(arg, str) else arg for arg in record.args)
    return True


def configure():
    handler = logging.StreamHandler()
    handler.setFormatter(AsJson())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for noisy in ("httpx", "httpx2", "openai", "urllib3", "urllib3.connectionpool"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    logging.getLogger("uvicorn.access").addFilter(without_query)
    logging.captureWarnings(True)
