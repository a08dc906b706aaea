"""What the endpoints under /v1 share: authentication, permission, limits, bodies."""

import json
from typing import TYPE_CHECKING, Any

from aiohttp import web

from ..errors import ApiError, too_large
from ..identity import Caller
from ..keys import PREFIX

if TYPE_CHECKING:
    from ..application import Gateway


class Endpoint:
    permission: str | None = None
    limited = False

    def __init__(self, gateway: "Gateway") -> None:
        self.gateway = gateway

    async def admit(self, request: web.Request) -> Caller:
        """Who asks, if they may."""
        caller = await self._identify(request)
        request["caller"] = caller
        if self.permission is not None and not caller.may(self.permission):
            raise ApiError(403, f"You do not have the permission {self.permission}.", code="no_permission")
        if self.limited:
            decision = await self.gateway.limiter.take(caller)
            request["headers"] = decision.headers()
            if not decision.allowed:
                raise ApiError(
                    429, f"More than {decision.limit} requests in the time of your tier.",
                    code="rate_limit_exceeded",
                )
        return caller

    async def _identify(self, request: web.Request) -> Caller:
        scheme, _, credential = request.headers.get("Authorization", "").partition(" ")
        credential = credential.strip()
        name = None
        if credential:
            if scheme.lower() == "bearer":
                if credential.startswith(PREFIX):
                    name = await self.gateway.keys.owner(credential)
                else:
                    name = self.gateway.tokens.subject(credential)
        elif "X-API-Key" in request.headers:
            name = await self.gateway.keys.owner(request.headers["X-API-Key"].strip())
        caller = self.gateway.directory.find(name) if isinstance(name, str) else None
        if caller is None:
            raise ApiError(
                401, "A valid token or API key is needed.", code="invalid_api_key",
                headers={"WWW-Authenticate": "Bearer"},
            )
        return caller

    async def body(self, request: web.Request) -> dict[str, Any]:
        limit = self.gateway.settings.max_body
        if (request.content_length or 0) > limit:
            raise too_large(limit)
        raw = await request.read()
        try:
            document = json.loads(raw, parse_constant=_no_constant)
            json.dumps(document, allow_nan=False)
        except RecursionError:
            raise ApiError(400, "The body is nested too deeply.", code="invalid_json") from None
        except ValueError:
            raise ApiError(400, "The body is not valid JSON.", code="invalid_json") from None
        if not isinstance(document, dict):
            raise ApiError(400, "The body is not a JSON object.", code="invalid_json")
        return document


def _no_constant(name: str) -> None:
    raise ValueError(name)


def text_of(body: dict[str, Any], name: str, most: int) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise ApiError(400, f"{name} must be a text.", code="missing_field", param=name)
    if len(value) > most:
        raise ApiError(400, f"{name} is longer than {most} characters.", code="too_long", param=name)
    return value
