import re
from uuid import uuid4

from starlette.requests import HTTPConnection, Request
from starlette_context.plugins import RequestIdPlugin

SANE = re.compile(r"[A-Za-z0-9._-]{8,64}")


class SaneRequestIdPlugin(RequestIdPlugin):
    """Keeps what cannot do harm and replaces the rest, where the original answers 400."""

    async def extract_value_from_header_by_key(self, request: Request | HTTPConnection) -> str:
        value = request.headers.get(self.key, "")
        return value if SANE.fullmatch(value) else str(uuid4())
