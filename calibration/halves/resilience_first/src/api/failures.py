import logging
import uuid
from datetime import datetime, timezone

from fastapi.responses import JSONResponse

log = logging.getLogger("api.failures")


class Failure(Exception):
    """What the caller is told. `retry` says whether another attempt may help, `ill` whether the model is to blame."""

    def __init__(
        self,
        status: int,
        error: str,
        message: str,
        *,
        retry: bool = False,
        ill: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(error)
        self.status, self.error, self.message = status, error, message
        self.retry, self.ill, self.retry_after = retry, ill, retry_after


def answer(failure: Failure, *, exc_info: bool = False) -> JSONResponse:
    incident = f"inc-{uuid.uuid4().hex[:20]}"
    detail = {
        "error": failure.error,
        "message": failure.message,
        "incident_id": incident,
        "timestamp": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    level = logging.ERROR if failure.status >= 500 else logging.WARNING
    log.log(level, "%s", failure.error, extra={"incident_id": incident, "status": failure.status}, exc_info=exc_info)
    headers = {}
    if failure.retry_after is not None:
        headers["Retry-After"] = str(int(failure.retry_after + 0.999))
    if failure.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse({"detail": detail}, failure.status, headers)
