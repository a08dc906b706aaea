import datetime
import logging
import uuid

from fastapi.responses import JSONResponse

log = logging.getLogger("api.errors")


class ApiError(Exception):
    def __init__(self, status, error, message, *, transient=False, sick=False, retry_after=None):
        super().__init__(message)
        self.status = status
        self.error = error
        self.message = message
        self.transient = transient
        self.sick = sick
        self.retry_after = retry_after


def to_response(error):
    incident = "INC" + uuid.uuid4().hex.upper()
    log.log(
        logging.ERROR if error.status >= 500 else logging.INFO,
        f"{error.error}: {error.message}",
        extra={"data": {"incident_id": incident, "status": error.status}},
    )
    headers = {}
    if error.retry_after is not None:
        when = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=error.retry_after + 1)
        headers["Retry-After"] = when.strftime("%a, %d %b %Y %H:%M:%S GMT")
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    content = {
        "error": error.error,
        "message": error.message,
        "incident_id": incident,
        "timestamp": datetime.datetime.now().timestamp(),
    }
    return JSONResponse(content, error.status, headers)
