"""The tokens that an intruder tries, each under a name that says what is wrong with it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from exercises.exam.ex1_secure_configuration.starts import TOKEN_KEY
from lab import tokens
from lab.tokens import Claims

EXPIRED = "expired an hour ago"
_WELL_KNOWN_KEYS = (
    "secret",
    "changeme",
    "changeme" * 4,
    "your-secret-key",
    "your-secret-key-here",
    "your-secret-key-change-in-production",
    "your-256-bit-secret",
    "a-string-secret-at-least-256-bits-long",
    "supersecretkey",
    "dev-secret-key",
    "dev-secret-key-do-not-use-in-production",
    "change-me-in-production",
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
    "",
)
_MINUTE, _HOUR, _YEAR = 60.0, 3600.0, 365 * 86_400.0
_LEGIBLE = 40


@dataclass(frozen=True)
class Genuine:
    """The tokens that a service gave its two users at the time `now`, and its secrets."""

    admin: str
    user: str
    secrets: Mapping[str, str]
    now: float

    @cached_property
    def claims(self) -> Claims:
        """What the administrator's token says, or a usual set of claims where it does not say anything legible."""
        usual = {"sub": "admin", "iat": int(self.now), "exp": int(self.now + _HOUR)}
        return tokens.claims_of(self.admin) or usual

    @property
    def algorithm(self) -> str:
        """The algorithm of the administrator's token; HS256 for a token that is signed in another way."""
        named = tokens.algorithm_of(self.admin)
        return named if named in tokens.ALGORITHMS else "HS256"

    @property
    def key(self) -> str | None:
        """The key that signed the administrator's token; None where that is not the one that the service was given."""
        key = self.secrets[TOKEN_KEY]
        return key if tokens.is_signed_with(self.admin, key) else None


Forge = Callable[[Genuine], str | None]
"""Makes a forged token; None where only the service itself could."""


def _aged(seconds: float) -> Forge:
    """Return what makes a token that ran out so many seconds ago."""

    def forge(genuine: Genuine) -> str | None:
        aged = tokens.expired(genuine.claims, now=genuine.now, since=seconds)
        return tokens.signed(aged, genuine.key, algorithm=genuine.algorithm) if genuine.key else None

    return forge


def _in_another_algorithm(place: int) -> Forge:
    """Return what makes a token in the first or second of the algorithms that the service did not choose."""

    def forge(genuine: Genuine) -> str | None:
        others = [one for one in tokens.ALGORITHMS if one != genuine.algorithm]
        return tokens.signed(genuine.claims, genuine.key, algorithm=others[place]) if genuine.key else None

    return forge


def _as_administrator(genuine: Genuine) -> str:
    """Return the user's token with the administrator's name in it; an opaque one with its end cut off."""
    claims = tokens.claims_of(genuine.user)
    if claims is None:
        return genuine.user[:-1]
    promoted = tokens.replaced(claims, "user", "admin")
    return tokens.with_claims(genuine.user, promoted if promoted != claims else {**claims, "admin": True})


def _prolonged(genuine: Genuine) -> str:
    """Return the administrator's token with a year more to live; an opaque one with its beginning cut off."""
    if tokens.claims_of(genuine.admin) is None:
        return genuine.admin[1:]
    return tokens.with_claims(genuine.admin, {**genuine.claims, "exp": int(genuine.now + _YEAR)})


KINDS: Mapping[str, Forge] = {
    "signed with another key": lambda genuine: tokens.signed(
        genuine.claims, genuine.secrets["admin_password"], algorithm=genuine.algorithm
    ),
    "in another algorithm": _in_another_algorithm(0),
    "in a third algorithm": _in_another_algorithm(1),
    "algorithm none": lambda genuine: tokens.unsigned(genuine.claims),
    "algorithm NonE": lambda genuine: tokens.unsigned(genuine.claims, algorithm="NonE"),
    "algorithm none, with a signature": lambda genuine: (
        tokens.unsigned(genuine.claims) + genuine.admin.rpartition(".")[2]
    ),
    "algorithm RS256": lambda genuine: tokens.unsigned(genuine.claims, algorithm="RS256") + "c2ln",
    "an algorithm that does not exist": lambda genuine: (
        tokens.unsigned(genuine.claims, algorithm="?") + "c2ln"
    ),
    "claims of another user": _as_administrator,
    "a later end": _prolonged,
    "broken signature": lambda genuine: tokens.with_broken_signature(genuine.admin),
    "signature cut off": lambda genuine: genuine.admin.rpartition(".")[0] + ".",
    "a part too few": lambda genuine: genuine.admin.rpartition(".")[0] or "short",
    "a part too many": lambda genuine: f"{genuine.admin}.more",
    "a header that is a list": lambda genuine: f"W10.{genuine.admin.partition('.')[2] or 'e30.c2ln'}",
    "no JSON in it": lambda _genuine: "bm8.bm8.bm8",
    "garbage": lambda _genuine: "garbage",
    "three words": lambda _genuine: "not.a.token",
    "empty parts": lambda _genuine: "..",
    "expired two minutes ago": _aged(2 * _MINUTE),
    EXPIRED: _aged(_HOUR),
    "expired a year ago": _aged(_YEAR),
}
"""What is wrong with a token, and what makes one of that kind from genuine ones."""


def _name(key: str) -> str:
    return f"signed with the key '{key if len(key) <= _LEGIBLE else key[:12] + '...'}'"


KNOWN_KEYS: Mapping[str, str] = {_name(key): key for key in _WELL_KNOWN_KEYS}
"""Keys that a forger tries, by what a token is called that is signed with one."""


def signed_with(genuine: Genuine, key: str) -> str:
    """Return the administrator's claims signed with a key of the forger's."""
    return tokens.signed(genuine.claims, key, algorithm=genuine.algorithm)
