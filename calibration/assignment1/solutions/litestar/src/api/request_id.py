"""A request id for everything that is sent.

Litestar's middleware does not see a request without a route; its before_send hooks see all.
"""

import re
import uuid

from litestar.datastructures import Headers, MutableScopeHeaders
from litestar.types import Message, Scope

SANE = re.compile(r"[A-Za-z0-9\-_.]{1,128}", re.ASCII)


def request_id(scope: Scope) -> str:
    """The caller's if it is sane, else a new one; always the same for a request."""
    state = scope["state"]
    if "request_id" not in state:
        given = Headers.from_scope(scope).get("x-request-id", "")
        state["request_id"] = given if SANE.fullmatch(given) else uuid.uuid4().hex
    return state["request_id"]


async def add_request_id(message: Message, scope: Scope) -> None:
    if message["type"] == "http.response.start":
        MutableScopeHeaders.from_message(message)["X-Request-ID"] = request_id(scope)
