"""HS256 and nothing else; the header of a token decides nothing."""

import base64
import hashlib
import hmac
import json
import time

LIFETIME = 3600
HEADER = {"alg": "HS256", "typ": "JWT"}


class InvalidToken(Exception):
    pass


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _sign(content: str, key: bytes) -> str:
    return _b64(hmac.new(key, content.encode(), hashlib.sha256).digest())


def issue(user: str, key: bytes) -> str:
    claims = {"sub": user, "exp": int(time.time()) + LIFETIME}
    content = ".".join(_b64(json.dumps(part).encode()) for part in (HEADER, claims))
    return f"{content}.{_sign(content, key)}"


def verify(token: str, key: bytes) -> str:
    content, _, signature = token.rpartition(".")
    try:
        if not hmac.compare_digest(_sign(content, key).encode(), signature.encode()):
            raise InvalidToken
        header, claims = (json.loads(_unb64(part)) for part in content.split("."))
        if header["alg"] != "HS256" or claims["exp"] < time.time():
            raise InvalidToken
        return str(claims["sub"])
    except (ValueError, KeyError, TypeError, UnicodeError) as error:
        raise InvalidToken from error
