"""JSON Web Tokens with HMAC signatures (RFC 7515, RFC 7518), by hand: a library refuses to make what a forger makes."""

import base64
import hashlib
import hmac
import json
import re
from typing import Any

Claims = dict[str, Any]

_DIGESTS = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}
ALGORITHMS = tuple(sorted(_DIGESTS, reverse=True))
_TOKEN = re.compile(r"(?<![\w-])eyJ[\w-]{8,8192}\.[\w-]{8,8192}\.[\w-]{0,8192}")
_TEN_YEARS = 10 * 365 * 86_400.0


def signed(claims: Claims, key: str, *, algorithm: str = "HS256") -> str:
    """Return a token signed with `key`; raises KeyError for an algorithm that is not HS256, HS384 or HS512."""
    content = f"{_encode_json({'alg': algorithm, 'typ': 'JWT'})}.{_encode_json(claims)}"
    return f"{content}.{_signature(content, key, algorithm)}"


def unsigned(claims: Claims, *, algorithm: str = "none") -> str:
    """Return a token that says it needs no signature, and has none (RFC 8725, section 2.1)."""
    return f"{_encode_json({'alg': algorithm, 'typ': 'JWT'})}.{_encode_json(claims)}."


def claims_of(token: str) -> Claims | None:
    """Return what a token says, verified or not; None where it is no JSON Web Token."""
    return _part(token, 1)


def legible_parts(text: str) -> list[str]:
    """Return what the tokens in a text say, which everybody can read who has one."""
    return [json.dumps(claims) for token in _TOKEN.findall(text) if (claims := claims_of(token))]


def algorithm_of(token: str) -> str:
    """Return the algorithm that a token names; an empty string where it names none."""
    return str((_part(token, 0) or {}).get("alg", ""))


def is_signed_with(token: str, key: str) -> bool:
    """Whether `key` made the signature of a token."""
    content, _, signature = token.rpartition(".")
    algorithm = algorithm_of(token)
    return algorithm in _DIGESTS and hmac.compare_digest(_signature(content, key, algorithm), signature)


def with_claims(token: str, claims: Claims) -> str:
    """Return a token with other claims under its old signature."""
    header, _, signature = token.split(".")
    return f"{header}.{_encode_json(claims)}.{signature}"


def with_broken_signature(token: str) -> str:
    """Return a token whose signature differs in its first character; the last one holds bits that do not count."""
    content, _, signature = token.rpartition(".")
    return f"{content}.{'B' if signature[:1] == 'A' else 'A'}{signature[1:]}"


def expired(claims: Claims, *, now: float, since: float) -> Claims:
    """Return the claims of a token that ran out `since` seconds before `now`: all its times are moved back together.

    A time is a number within ten years of `now`, under whatever name. Where none lies ahead, `exp` is set (RFC 7519).
    """
    times = {name: value for name, value in claims.items() if _is_time(value, now)}
    end = max(times.values(), default=now)
    if end <= now:
        return {**claims, "exp": int(now - since)}
    return {
        name: int(value - (end - now) - since) if name in times else value for name, value in claims.items()
    }


def ends(claims: Claims, *, now: float) -> bool:
    """Whether a claim says a time after `now`: a number within ten years of it, under whatever name."""
    return any(_is_time(value, now) and value > now for value in claims.values())


def replaced(value: Any, old: str, new: str) -> Any:
    """Return claims in which every text that is `old` is `new`."""
    match value:
        case dict():
            return {name: replaced(one, old, new) for name, one in value.items()}
        case list():
            return [replaced(one, old, new) for one in value]
        case _:
            return new if value == old else value


def _is_time(value: object, now: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value - now) < _TEN_YEARS


def _part(token: str, position: int) -> Claims | None:
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        content = json.loads(base64.urlsafe_b64decode(parts[position] + "=" * (-len(parts[position]) % 4)))
    except ValueError:
        return None
    return content if isinstance(content, dict) else None


def _signature(content: str, key: str, algorithm: str) -> str:
    return _encode(hmac.new(key.encode(), content.encode(), _DIGESTS[algorithm]).digest())


def _encode_json(value: Claims) -> str:
    return _encode(json.dumps(value, separators=(",", ":")).encode())


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
