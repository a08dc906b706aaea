"""Who asks: tokens, passwords, and what a caller may do."""

import hashlib
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass

import jwt

from .settings import User

ISSUER = "inference-gateway"


def digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


@dataclass(frozen=True)
class Caller:
    name: str
    tier: str
    permissions: frozenset[str]

    @classmethod
    def of(cls, user: User) -> "Caller":
        return cls(user.name, user.tier, user.permissions)

    def may(self, permission: str) -> bool:
        return permission in self.permissions


class Directory:
    """The users of BOOTSTRAP_USERS."""

    def __init__(self, users: Mapping[str, User]) -> None:
        self._users = users
        self._digests = {name: digest(user.password) for name, user in users.items()}

    def find(self, name: str) -> Caller | None:
        user = self._users.get(name)
        return user and Caller.of(user)

    def login(self, name: str, password: str) -> Caller | None:
        expected = self._digests.get(name, digest(""))
        right = hmac.compare_digest(expected, digest(password))
        return self.find(name) if right and name in self._users else None


class Tokens:
    """Signed with HS256, for an hour. Permissions are looked up at each request, not read from it."""

    def __init__(self, secret: str, seconds: int) -> None:
        self._secret = secret
        self.seconds = seconds

    def issue(self, name: str) -> str:
        now = int(time.time())
        claims = {"sub": name, "iss": ISSUER, "iat": now, "exp": now + self.seconds}
        return jwt.encode(claims, self._secret, "HS256")

    def subject(self, token: str) -> str | None:
        try:
            claims = jwt.decode(
                token,
                self._secret,
                algorithms=["HS256"],
                issuer=ISSUER,
                options={"require": ["sub", "exp", "iat", "iss"]},
            )
        except (jwt.PyJWTError, ValueError, RecursionError):
            return None
        return claims["sub"]
