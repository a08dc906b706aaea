import secrets
import time

import jwt
from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel

import config
from problems import Problem

scheme = HTTPBearer(auto_error=False)


class Credentials(BaseModel):
    username: str
    password: str


def log_in(given: Credentials):
    password = config.PASSWORDS.get(given.username)
    try:
        right = password is not None and secrets.compare_digest(password.encode(), given.password.encode())
    except UnicodeEncodeError:
        right = False
    if not right:
        raise Problem(401, "Wrong username or password.")
    now = int(time.time())
    claims = {"sub": given.username, "iat": now, "exp": now + 3600, "aud": "llm-service"}
    return jwt.encode(claims, config.JWT_SECRET_KEY, algorithm="HS512")


def current_user(credentials: HTTPAuthorizationCredentials | None = Depends(scheme)):
    if not credentials:
        raise Problem(403, "A token is needed.")
    try:
        claims = jwt.decode(credentials.credentials, config.JWT_SECRET_KEY, algorithms=["HS512"],
                            audience="llm-service", options={"require": ["exp", "sub"]})
    except Exception:
        raise Problem(401, "The token is not valid.") from None
    return claims["sub"]
