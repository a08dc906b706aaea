"""Django middleware: a request id in a context variable and on the response."""

import logging
import re
import secrets
import time
from contextvars import ContextVar

from django.utils.decorators import async_only_middleware

current: ContextVar[str] = ContextVar("request_id", default="-")
SANE = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)
log = logging.getLogger("access")


@async_only_middleware
def request_id(get_response):
    async def middleware(request):
        sent = request.headers.get("X-Request-ID", "")
        identity = sent if SANE.fullmatch(sent) else secrets.token_urlsafe(16)
        current.set(identity)
        start = time.perf_counter()
        response = await get_response(request)
        response["X-Request-ID"] = identity
        log.info("%s %s %s %.1f ms", request.method, request.path, response.status_code, 1e3 * (time.perf_counter() - start))
        return response

    return middleware
