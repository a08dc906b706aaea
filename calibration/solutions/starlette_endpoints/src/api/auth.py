from datetime import UTC, datetime, timedelta
from hmac import compare_digest

import jwt
from pydantic import BaseModel
from starlette.authentication import AuthCredentials, AuthenticationBackend, SimpleUser, requires
from starlette.endpoints import HTTPEndpoint
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response

from api.problems import Problem
from api.settings import Settings

ALGORITHM = "HS512"
protected = requires("authenticated", status_code=401)


class TokenBackend(AuthenticationBackend):
    def __init__(self, settings: Settings) -> None:
        self._key = settings.jwt_key

    async def authenticate(self, conn: HTTPConnection):
        scheme, _, token = conn.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        try:
            claims = jwt.decode(
                token.strip(), self._key, algorithms=[ALGORITHM], options={"require": ["exp", "sub"]}
            )
        except jwt.PyJWTError:
            return None
        return AuthCredentials(["authenticated"]), SimpleUser(claims["sub"])


class Credentials(BaseModel):
    username: str
    password: str


class Login(HTTPEndpoint):
    async def post(self, request: Request) -> Response:
        credentials = Credentials.model_validate_json(await request.body())
        settings: Settings = request.app.state.settings
        expected = settings.passwords.get(credentials.username)
        if expected is None or not compare_digest(expected.encode(), credentials.password.encode()):
            raise Problem(401, "Wrong username or password")
        token = jwt.encode(
            {"sub": credentials.username, "exp": datetime.now(UTC) + timedelta(hours=1)},
            settings.jwt_key,
            algorithm=ALGORITHM,
        )
        return JSONResponse({"access_token": token, "token_type": "bearer"})


class Me(HTTPEndpoint):
    @protected
    async def get(self, request: Request) -> Response:
        return JSONResponse({"username": request.user.display_name})
