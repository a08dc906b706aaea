"""A WSGI wrapper: each response has an X-Request-ID."""

import re
import uuid

SANE = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)


class RequestId:
    def __init__(self, app) -> None:
        self._app = app

    def __call__(self, environ, start_response):
        sent = environ.get("HTTP_X_REQUEST_ID", "")
        request_id = sent if SANE.fullmatch(sent) else uuid.uuid4().hex

        def start(status, headers, exc_info=None):
            return start_response(status, [*headers, ("X-Request-ID", request_id)], exc_info)

        return self._app(environ, start)
