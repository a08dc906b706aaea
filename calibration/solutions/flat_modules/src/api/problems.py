import datetime as dt
import uuid

from fastapi import HTTPException
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

import logs

log = logs.get("problems")
NAMES = {400: "bad_request", 401: "unauthorized", 403: "forbidden", 404: "not_found", 405: "method_not_allowed",
         413: "payload_too_large", 422: "unprocessable", 429: "too_many_requests", 500: "internal_error",
         502: "bad_gateway", 503: "service_unavailable", 504: "gateway_timeout"}


class Problem(HTTPException):
    def __init__(self, status, message, *, code=None, retry_after=None):
        headers = {"Retry-After": str(round(retry_after + 0.5))} if retry_after is not None else None
        super().__init__(status, message, headers)
        self.code = code
        self.retry_after = retry_after


def response(status, message, *, code=None, headers=None):
    incident_id = str(uuid.uuid4())
    tell = log.error if status >= 500 else log.info
    tell("request failed", incident_id=incident_id, status=status, reason=message)
    return JSONResponse(
        {
            "error": code or NAMES.get(status, "error"),
            "message": message,
            "incident_id": incident_id,
            "timestamp": dt.datetime.now(dt.UTC).isoformat(),
        },
        status_code=status,
        headers=headers,
    )


async def on_http_exception(request, exc):
    return response(exc.status_code, str(exc.detail), code=getattr(exc, "code", None), headers=exc.headers)


async def on_invalid(request, exc):
    where = sorted({".".join(str(part) for part in one["loc"]) for one in exc.errors()})
    return response(422, "not valid: " + ", ".join(where))


def install(app):
    from starlette.exceptions import HTTPException as StarletteHTTPException

    app.add_exception_handler(StarletteHTTPException, on_http_exception)
    app.add_exception_handler(RequestValidationError, on_invalid)
