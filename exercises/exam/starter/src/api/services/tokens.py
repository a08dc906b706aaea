from datetime import UTC, datetime, timedelta

import jwt

from api.config.settings import settings


def create_token(username: str) -> str:
    expires = datetime.now(UTC) + timedelta(minutes=settings.jwt_expire_minutes)
    return jwt.encode({"sub": username, "exp": expires}, settings.jwt_secret_key, algorithm="HS256")


def read_token(token: str) -> str:
    algorithm = jwt.get_unverified_header(token)["alg"]
    claims = jwt.decode(token, settings.jwt_secret_key, algorithms=[algorithm])
    return claims["sub"]
