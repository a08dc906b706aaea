"""What endpoints ask for."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.services.container import Services
from api.services.errors import NotAuthenticatedError

_bearer = HTTPBearer(auto_error=False)


def get_services(request: Request) -> Services:
    services: Services = request.state.services
    return services


ServicesDep = Annotated[Services, Depends(get_services)]


def get_username(
    services: ServicesDep, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> str:
    if credentials is None:
        raise NotAuthenticatedError("no bearer token")
    username = services.tokens.verify(credentials.credentials)
    if username not in services.users:
        raise NotAuthenticatedError("token of an unknown user")
    return username


Username = Annotated[str, Depends(get_username)]
