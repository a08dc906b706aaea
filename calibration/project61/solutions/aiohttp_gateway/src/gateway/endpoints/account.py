"""Logins, API keys and usage."""

from datetime import date

from aiohttp import web

from ..errors import ApiError
from ..ledger import clean
from .base import Endpoint, text_of

MOST_KEYS = 100


class Login(Endpoint):
    async def post(self, request: web.Request) -> web.Response:
        body = await self.body(request)
        name, password = body.get("username"), body.get("password")
        if not isinstance(name, str) or not isinstance(password, str):
            raise ApiError(400, "username and password must be texts.", code="missing_field")
        caller = self.gateway.directory.login(name, password)
        if caller is None:
            raise ApiError(401, "The user name or the password is wrong.", code="invalid_login")
        return web.json_response(
            {
                "access_token": self.gateway.tokens.issue(caller.name),
                "token_type": "bearer",
                "expires_in": self.gateway.tokens.seconds,
            }
        )


class Keys(Endpoint):
    async def post(self, request: web.Request) -> web.Response:
        caller = await self.admit(request)
        body = await self.body(request)
        name = text_of(body, "name", 100)
        if clean(name) != name or not name.isprintable():
            raise ApiError(400, "name has characters that cannot be shown.", code="invalid_value", param="name")
        if len(await self.gateway.keys.of(caller.name)) >= MOST_KEYS:
            raise ApiError(400, f"You have {MOST_KEYS} keys already.", code="too_many_keys")
        identity, key = await self.gateway.keys.create(caller.name, name)
        return web.json_response({"id": identity, "name": name, "key": key}, status=201)

    async def get(self, request: web.Request) -> web.Response:
        caller = await self.admit(request)
        return web.json_response({"object": "list", "data": await self.gateway.keys.of(caller.name)})

    async def delete(self, request: web.Request) -> web.Response:
        caller = await self.admit(request)
        if not await self.gateway.keys.revoke(caller.name, request.match_info["id"]):
            raise ApiError(404, "You have no such key.", code="unknown_key")
        return web.Response(status=204)


class Usage(Endpoint):
    permission = "usage"

    async def get(self, request: web.Request) -> web.Response:
        caller = await self.admit(request)
        asked = request.query.get("user", caller.name)
        if asked != caller.name and not caller.may("admin"):
            raise ApiError(403, "Another user's usage needs the permission admin.", code="no_permission")
        report = await self.gateway.report.read(
            None if asked == "*" else clean(asked), self._day(request, "since"), self._day(request, "until")
        )
        return web.json_response(report)

    @staticmethod
    def _day(request: web.Request, name: str) -> date | None:
        text = request.query.get(name)
        try:
            return date.fromisoformat(text) if text else None
        except ValueError:
            raise ApiError(400, f"{name} is a day such as 2026-01-31.", code="invalid_value", param=name) from None
