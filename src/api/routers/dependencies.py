"""What endpoints ask for."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from api.services.api_keys import PREFIX
from api.services.callers import Caller, Permission
from api.services.errors import NotAuthenticatedError, PermissionDeniedError
from api.services.wiring import Services

# All of these are coroutines: FastAPI would run a plain function in a thread, for longer than it takes.
_bearer = HTTPBearer(auto_error=False, description="A token of `POST /auth/login`, or an API key.")
_api_key = APIKeyHeader(name="X-API-Key", auto_error=False, description="An API key.")


async def get_services(request: Request) -> Services:
    services: Services = request.state.services
    return services


ServicesDep = Annotated[Services, Depends(get_services)]


async def get_caller(
    services: ServicesDep,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    api_key: Annotated[str | None, Depends(_api_key)],
) -> Caller:
    """Who calls, by token or API key. Tier and permissions are the user's of now, not of when the token was made."""
    if credentials is None and api_key is None:
        raise NotAuthenticatedError("no bearer token and no API key")
    presented = credentials.credentials if credentials is not None else api_key or ""
    if credentials is None or presented.startswith(PREFIX):
        return await services.api_keys.verify(presented)
    user = await services.users.find(services.tokens.verify(presented))
    if user is None:
        raise NotAuthenticatedError("token of an unknown user")
    return Caller(user=user.name, tier=user.tier, permissions=user.permissions)


Authenticated = Annotated[Caller, Depends(get_caller)]


def permitted(permission: Permission) -> Callable[[Caller], Awaitable[Caller]]:
    """Return a dependency that gives the caller, or raises PermissionDeniedError for one who lacks a permission."""

    async def get_permitted(caller: Authenticated) -> Caller:
        if permission not in caller.permissions:
            raise PermissionDeniedError(f"lacks {permission}")
        return caller

    return get_permitted
