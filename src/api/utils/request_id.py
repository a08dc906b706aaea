"""The id of the request that is being served, which is in the context of whatever runs for it."""

import structlog


def current_request_id() -> str:
    """The id of the request being served, or an empty string outside of one."""
    request_id: str = structlog.contextvars.get_contextvars().get("request_id", "")
    return request_id
