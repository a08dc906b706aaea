"""Limits, checked before a body is read."""

from typing import Any

from litestar.connection import ASGIConnection
from litestar.exceptions import HTTPException
from litestar.handlers import BaseRouteHandler

Connection = ASGIConnection[Any, Any, Any, Any]


def request_limit(connection: Connection, _: BaseRouteHandler) -> None:
    limiter = connection.app.state.limiter
    client = connection.client.host if connection.client else "?"
    wait = limiter.hit(client)
    if wait is not None:
        raise HTTPException(
            f"At most {limiter.requests} requests in {limiter.window} seconds.",
            status_code=429,
            headers={"Retry-After": str(wait)},
        )


def daily_cost(connection: Connection, _: BaseRouteHandler) -> None:
    if connection.app.state.purse.empty:
        raise HTTPException("Today's money is spent.", status_code=402)
