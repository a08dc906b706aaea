"""Errors in OpenAI's form."""

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    413: "invalid_request_error",
    422: "invalid_request_error",
    429: "rate_limit_error",
    503: "service_unavailable_error",
}


class ApiError(Exception):
    """Whoever raises it has decided what the caller gets to see."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        kind: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.param = param
        self.kind = kind or TYPES.get(status, "api_error")
        self.headers = dict(headers or {})

    def body(self) -> dict[str, Any]:
        return {
            "error": {"message": self.message, "type": self.kind, "code": self.code, "param": self.param}
        }

    def response(self) -> web.Response:
        return web.json_response(self.body(), status=self.status, headers=self.headers)

    def event(self) -> bytes:
        """The same, for a stream that has begun."""
        return b"data: " + json.dumps(self.body()).encode() + b"\n\n"


def from_http(error: web.HTTPException) -> ApiError:
    headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
    words = {404: "There is no such path.", 405: "This method is not allowed here."}
    code = {404: "unknown_url", 405: "method_not_allowed", 413: "body_too_large"}.get(error.status)
    return ApiError(error.status, words.get(error.status, error.reason), code=code, headers=headers)


def too_large(limit: int) -> ApiError:
    return ApiError(413, f"The body is larger than {limit} bytes.", code="body_too_large")
