"""Logging in."""

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field, SecretStr

from api.routers.dependencies import Authenticated, ServicesDep
from api.services.errors import BadCredentialsError

router = APIRouter(prefix="/auth", tags=["auth"])


class LoginRequest(BaseModel):
    username: Annotated[str, Field(min_length=1, max_length=256)]
    password: Annotated[SecretStr, Field(min_length=1, max_length=1024)]


class TokenResponse(BaseModel):
    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105  the scheme's name


class UserResponse(BaseModel):
    username: str


@router.post("/login")
async def login(credentials: LoginRequest, services: ServicesDep) -> TokenResponse:
    if not await services.users.verify(credentials.username, credentials.password.get_secret_value()):
        raise BadCredentialsError
    return TokenResponse(access_token=services.tokens.issue(credentials.username))


@router.get("/me")
async def me(caller: Authenticated) -> UserResponse:
    return UserResponse(username=caller.user)
