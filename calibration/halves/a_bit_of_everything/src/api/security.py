import hmac
from datetime import UTC, datetime, timedelta
from typing import Annotated

import jwt
from fastapi import Depends, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.settings import settings

KEY = settings.jwt_secret_key.get_secret_value()
USERS = {
    "admin": settings.auth_admin_password.get_secret_value(),
    "user": settings.auth_user_password.get_secret_value(),
}
bearer = HTTPBearer(auto_error=False)


def login(username: str, password: str) -> str | None:
    known = USERS.get(username)
    if known is None or not hmac.compare_digest(known.encode(), password.encode(errors="replace")):
        return None
    expires = datetime.now(UTC) + timedelta(hours=1)
    return jwt.encode({"sub": username, "exp": expires}, KEY, algorithm="HS256")


def current_user(credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> str:
    if credentials is None:
        raise HTTPException(401, "Not logged in.", {"WWW-Authenticate": "Bearer"})
    try:
        claims = jwt.decode(credentials.credentials, KEY, algorithms=["HS256"], options={"require": ["exp", "sub"]})
    except jwt.PyJWTError:
        raise HTTPException(401, "The token is not valid.", {"WWW-Authenticate": "Bearer"}) from None
    return str(claims["sub"])


User = Annotated[str, Depends(current_user)]
