from datetime import UTC, datetime
from uuid import uuid4

import orjson
from fastapi import Response

from api import log as logs

log = logs.get("api.failure")


class Json(Response):
    media_type = "application/json"

    def render(self, content: object) -> bytes:
        return orjson.dumps(content)


class Failure(Exception):
    status = 500
    code = "INTERNAL"
    counts = False  # as one of the model's failures

    def __init__(self, text: str = "Something unexpected happened.", **headers: str) -> None:
        super().__init__(text)
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def failure(status: int, code: str, *, counts: bool = False) -> type[Failure]:
    return type(code.title().replace("_", ""), (Failure,), {"status": status, "code": code, "counts": counts})


NotAllowed = failure(401, "NOT_AUTHENTICATED")
Refused = failure(400, "MODEL_REFUSED")
Unknown = failure(404, "MODEL_UNKNOWN")
Throttled = failure(429, "MODEL_THROTTLED")
Nonsense = failure(502, "MODEL_NONSENSE", counts=True)
Denied = failure(502, "GATEWAY_DENIED")
Broken = failure(502, "MODEL_BROKEN", counts=True)
Unreachable = failure(503, "MODEL_UNREACHABLE", counts=True)
Open = failure(503, "CIRCUIT_OPEN")
Late = failure(504, "MODEL_LATE", counts=True)


def body(status: int, code: str, text: str, headers: dict[str, str] | None = None) -> Json:
    incident = uuid4().hex
    tell = log.error if status >= 500 else log.info
    tell(text, incident_id=incident, code=code, status=status)
    content = {"error": code, "message": text, "incident_id": incident, "timestamp": datetime.now(UTC)}
    return Json(content, status, headers)
