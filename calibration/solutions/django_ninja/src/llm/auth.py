import hmac
from datetime import UTC, datetime, timedelta

import jwt
from django.conf import settings
from django.http import HttpRequest
from ninja import Router, Schema
from ninja.security import HttpBearer

from llm.errors import ApiError

router = Router(tags=["auth"])
ALGORITHM = "HS256"


class Bearer(HttpBearer):
    async def authenticate(self, request: HttpRequest, token: str) -> str | None:
        try:
            claims = jwt.decode(
                token, settings.JWT_SECRET_KEY, algorithms=[ALGORITHM], options={"require": ["exp", "sub"]}
            )
        except jwt.InvalidTokenError:
            return None
        return claims["sub"]


bearer = Bearer()


class Login(Schema):
    username: str
    password: str


class Token(Schema):
    access_token: str
    token_type: str = "bearer"


class User(Schema):
    username: str


@router.post("/login", response=Token)
async def login(request: HttpRequest, body: Login) -> Token:
    passwords = {"admin": settings.AUTH_ADMIN_PASSWORD, "user": settings.AUTH_USER_PASSWORD}
    expected = passwords.get(body.username)
    if expected is None or not hmac.compare_digest(expected.encode(), body.password.encode()):
        raise ApiError(401, "Wrong username or password")
    claims = {"sub": body.username, "exp": datetime.now(UTC) + timedelta(hours=1)}
    return Token(access_token=jwt.encode(claims, settings.JWT_SECRET_KEY, ALGORITHM))


@router.get("/me", response=User, auth=bearer)
async def me(request: HttpRequest) -> User:
    return User(username=request.auth)
