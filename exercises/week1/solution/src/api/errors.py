"""How failures are answered. The provider's own words are left out: they may quote the key."""

import math

import openai
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from src.services.limits import RequestLimitError
from src.services.llm import MalformedAnswerError


def install(app: FastAPI) -> None:
    """Have an application answer the failures of its services."""

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        # Without the values: some cannot be written as JSON, such as NaN.
        return _response(422, [{"loc": one["loc"], "msg": one["msg"]} for one in error.errors()])

    @app.exception_handler(RequestLimitError)
    async def request_limit(_request: Request, error: RequestLimitError) -> JSONResponse:
        seconds = max(1, math.ceil(error.retry_after))
        return _response(429, "This address has sent too many requests.", {"Retry-After": str(seconds)})

    @app.exception_handler(openai.RateLimitError)
    async def rate_limit(_request: Request, _error: openai.RateLimitError) -> JSONResponse:
        return _response(429, "The models are rate limited by their provider.")

    @app.exception_handler(openai.BadRequestError)
    async def bad_request(_request: Request, _error: openai.BadRequestError) -> JSONResponse:
        return _response(400, "The provider of the model refused this request.")

    @app.exception_handler(TimeoutError)
    @app.exception_handler(openai.APITimeoutError)
    async def time_out(_request: Request, _error: Exception) -> JSONResponse:
        return _response(504, "The model did not answer in time.")

    @app.exception_handler(MalformedAnswerError)
    @app.exception_handler(openai.APIError)
    async def provider_failure(_request: Request, _error: Exception) -> JSONResponse:
        return _response(502, "The provider of the model failed.")


def _response(status: int, detail: object, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"detail": detail}, status_code=status, headers=headers)
