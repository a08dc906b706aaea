import logging
import uuid
from datetime import UTC, datetime
from typing import ClassVar

from starlette.responses import JSONResponse

log = logging.getLogger("api.errors")


class ApiError(Exception):
    status: ClassVar[int] = 500
    error: ClassVar[str] = "internal"
    message: ClassVar[str] = "Something went wrong here."

    def __init__(self, message: str | None = None, *, headers: dict[str, str] | None = None) -> None:
        super().__init__(message or self.message)
        self.headers = headers or {}


def _kind(name: str, status: int, error: str, message: str, base: type[ApiError] = ApiError) -> type[ApiError]:
    return type(name, (base,), {"status": status, "error": error, "message": message})


Unauthorized = _kind("Unauthorized", 401, "unauthorized", "A valid token is needed.")
Invalid = _kind("Invalid", 422, "invalid_request", "The request is not valid.")
TooLarge = _kind("TooLarge", 413, "body_too_large", "The body is too large.")
Draining = _kind("Draining", 503, "shutting_down", "This instance is about to stop.")
CircuitOpen = _kind("CircuitOpen", 503, "circuit_open", "The model is unavailable; try again later.")
Deadline = _kind("Deadline", 504, "deadline", "The model took too long.")


class UpstreamError(ApiError):
    """Comes from the model. `transient` ones are tried again, and counted as failures by the breaker."""

    transient: ClassVar[bool] = False


RefusedByModel = _kind("RefusedByModel", 400, "refused_by_model", "The model refuses this request.", UpstreamError)
UnknownModel = _kind("UnknownModel", 404, "unknown_model", "The gateway has no such model.", UpstreamError)
Busy = _kind("Busy", 429, "model_busy", "The model's rate limit is reached.", UpstreamError)
Gibberish = _kind("Gibberish", 502, "bad_answer", "The model's answer makes no sense.", UpstreamError)
Misconfigured = _kind("Misconfigured", 502, "gateway_denied", "The gateway denied us access.", UpstreamError)
Unavailable = _kind("Unavailable", 502, "model_unavailable", "The model is not available.", UpstreamError)
Slow = _kind("Slow", 504, "model_slow", "The model took too long.", UpstreamError)
Unavailable.transient = Slow.transient = True  # type: ignore[attr-defined]


def render(error: ApiError) -> JSONResponse:
    incident = uuid.uuid4().hex
    log.log(
        logging.ERROR if error.status >= 500 else logging.INFO,
        "incident %s: %s", incident, error.error, extra={"incident_id": incident, "status": error.status},
    )
    content = {
        "error": error.error, "message": str(error), "incident_id": incident,
        "timestamp": datetime.now(UTC).isoformat(),
    }
    return JSONResponse(content, error.status, error.headers)
