"""Bearer tokens: JSON Web Tokens, signed with HS256 and nothing else."""

from datetime import UTC, datetime, timedelta

import jwt

from api.services.errors import NotAuthenticatedError

# Pinned: a token that may choose its algorithm may choose "none" (RFC 8725, 3.1).
ALGORITHM = "HS256"


class TokenService:
    def __init__(self, *, secret: str, lifetime: timedelta) -> None:
        self._secret = secret
        self._lifetime = lifetime

    def issue(self, username: str) -> str:
        now = datetime.now(UTC)
        claims = {"sub": username, "iat": now, "exp": now + self._lifetime}
        return jwt.encode(claims, self._secret, algorithm=ALGORITHM)

    def verify(self, token: str) -> str:
        """The name of the user to whom the token was issued. Raises NotAuthenticatedError for any other token."""
        try:
            claims = jwt.decode(
                token, self._secret, algorithms=[ALGORITHM], options={"require": ["exp", "iat", "sub"]}
            )
        except jwt.PyJWTError as error:
            raise NotAuthenticatedError(type(error).__name__) from None
        return str(claims["sub"])
