import logging
import uuid
from contextvars import ContextVar

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)


class RequestIdFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id.get()
        return True


def choose(headers: list[tuple[bytes, bytes]]) -> str:
    """The caller's id if it is a UUID, otherwise a new one."""
    given = dict(headers).get(b"x-request-id", b"").decode("latin-1")
    try:
        return str(uuid.UUID(given))
    except ValueError:
        return str(uuid.uuid4())
