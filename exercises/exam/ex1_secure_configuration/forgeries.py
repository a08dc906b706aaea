"""The tokens that an intruder tries, each under a name that says what is wrong with it."""

from collections.abc import Mapping

from exercises.exam.ex1_secure_configuration import tokens
from exercises.exam.ex1_secure_configuration.starts import TOKEN_KEY

EXPIRED = "expired"
WELL_KNOWN_KEYS = (
    "secret",
    "changeme",
    "your-secret-key",
    "your-secret-key-here",
    "your-secret-key-change-in-production",
    "your-256-bit-secret",
    "a-string-secret-at-least-256-bits-long",
    "supersecretkey",
    "dev-secret-key",
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
    "",
)
_ONE_HOUR = 3600.0
_LEGIBLE = 36


def forge(admin_token: str, user_token: str, secrets: Mapping[str, str], *, now: float) -> dict[str, str]:
    """Return forged tokens by name, made after the real ones.

    There is no expired one where the real tokens are not signed with the service's key: nobody but the service could
    make it.
    """
    claims = tokens.claims_of(admin_token) or {"sub": "admin", "iat": int(now), "exp": int(now + _ONE_HOUR)}
    forged = {
        "signed with another key": tokens.signed(claims, secrets["admin_password"]),
        **{_key_name(key): tokens.signed(claims, key) for key in WELL_KNOWN_KEYS},
        "algorithm none": tokens.unsigned(claims),
        "algorithm NonE": tokens.unsigned(claims, algorithm="NonE"),
        "claims of another user": _escalated(user_token),
        "broken signature": tokens.with_broken_signature(admin_token),
        "no token at all": "garbage",
        "three words": "not.a.token",
        "empty parts": "..",
    }
    if tokens.is_signed_with(admin_token, secrets[TOKEN_KEY]):
        aged = tokens.expired(claims, now=now, since=_ONE_HOUR)
        forged[EXPIRED] = tokens.signed(aged, secrets[TOKEN_KEY], algorithm=tokens.algorithm_of(admin_token))
    return forged


def _key_name(key: str) -> str:
    return f"signed with the key '{key if len(key) <= _LEGIBLE else key[:12] + '...'}'"


def _escalated(token: str) -> str:
    """Return the user's token with the administrator's name in it; an opaque one with its end cut off."""
    claims = tokens.claims_of(token)
    if claims is None:
        return token[:-1]
    promoted = tokens.replaced(claims, "user", "admin")
    return tokens.with_claims(token, promoted if promoted != claims else {**claims, "admin": True})
