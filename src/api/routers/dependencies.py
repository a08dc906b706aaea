"""What endpoints ask for."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.services.callers import Caller, Permission, Tier
from api.services.container import Services
from api.services.errors import NotAuthenticatedError, PermissionDeniedError

# All of these are coroutines: FastAPI would run a plain function in a thread, for longer than it takes.
_bearer = HTTPBearer(auto_error=False)


async def get_services(request: Request) -> Services:
    services: Services = request.state.services
    return services


ServicesDep = Annotated[Services, Depends(get_services)]


async def get_caller(
    services: ServicesDep, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Caller:
    if credentials is None:
        raise NotAuthenticatedError("no bearer token")
    username = services.tokens.verify(credentials.credentials)
    if username not in services.users:
        raise NotAuthenticatedError("token of an unknown user")
    return Caller(user=username, tier=Tier.ENTERPRISE, permissions=frozenset(Permission))


Authenticated = Annotated[Caller, Depends(get_caller)]


def permitted(permission: Permission) -> Callable[[Caller], Awaitable[Caller]]:
    """A dependency: the caller, if it has `permission`; 403 otherwise."""

    async def get_permitted(caller: Authenticated) -> Caller:
        if permission not in caller.permissions:
            raise PermissionDeniedError(f"without the permission {permission}")
        return caller

    return get_permitted
