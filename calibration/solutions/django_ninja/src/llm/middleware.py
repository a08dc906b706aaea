import logging
import time
from collections.abc import Awaitable, Callable

from django.http import HttpRequest, HttpResponseBase
from django.utils.decorators import async_only_middleware

from llm.errors import error_response

logger = logging.getLogger("access")
GetResponse = Callable[[HttpRequest], Awaitable[HttpResponseBase]]


@async_only_middleware
def access_log(get_response: GetResponse) -> GetResponse:
    async def middleware(request: HttpRequest) -> HttpResponseBase:
        began = time.monotonic()
        response = await get_response(request)
        logger.info(
            "%s %s",
            request.method,
            request.path,
            extra={"status": response.status_code, "seconds": round(time.monotonic() - began, 3)},
        )
        return response

    return middleware


@async_only_middleware
def error_shape(get_response: GetResponse) -> GetResponse:
    """Errors of the framework (such as 405) get the body that all errors have."""

    async def middleware(request: HttpRequest) -> HttpResponseBase:
        response = await get_response(request)
        if response.status_code < 400 or "json" in response.get("Content-Type", ""):
            return response
        allowed = {"Allow": response["Allow"]} if "Allow" in response else None
        return error_response(response.status_code, response.reason_phrase, headers=allowed)

    return middleware
