"""Where the promises of part 2 are tried: each endpoint, each forgery, each hostile text in each place."""

import time
from collections.abc import Callable

from exercises.project61.part2_security.hostile import PLACES, TEXTS
from lab import tokens
from lab.axes import Axes, Axis, plain
from lab.lab import Lab

ENDPOINTS = plain("endpoints", ("chat", "embeddings", "models", "keys", "new key", "usage"))

_HOUR = 3600.0

Forge = Callable[[Lab, str], str | None]
"""Makes what an intruder sends as a bearer token of a user's genuine one."""


def _claims(genuine: str) -> tokens.Claims:
    now = int(time.time())
    return tokens.claims_of(genuine) or {"sub": "freya", "iat": now, "exp": now + int(_HOUR)}


def _expired(lab: Lab, genuine: str) -> str:
    claims = tokens.expired(_claims(genuine), now=time.time(), since=_HOUR)
    return tokens.signed(claims, lab.secrets["token_key"], algorithm=_algorithm(genuine))


def _of_the_admin(lab: Lab, genuine: str) -> str:
    user, admin = lab.contract.users["free"].name, lab.contract.users["admin"].name
    claims = tokens.replaced(_claims(genuine), user, admin)
    return tokens.with_claims(genuine, claims) if genuine.count(".") == 2 else f"{genuine}x"


def _algorithm(genuine: str) -> str:
    named = tokens.algorithm_of(genuine)
    return named if named in tokens.ALGORITHMS else "HS256"


FORGERIES: Axis[Forge] = Axis(
    "forgeries",
    {
        "none at all": lambda _lab, _genuine: None,
        "no token": lambda _lab, _genuine: "letmein",
        "another key": lambda _lab, genuine: tokens.signed(_claims(genuine), 64 * "7"),
        "unsigned": lambda _lab, genuine: tokens.unsigned(_claims(genuine)),
        "unsigned, as None": lambda _lab, genuine: tokens.unsigned(_claims(genuine), algorithm="None"),
        "broken signature": lambda _lab, genuine: tokens.with_broken_signature(genuine),
        "another user's claims": _of_the_admin,
        "expired": _expired,
    },
)

PRESENTED = plain("ways to present a key", ("Bearer", "X-API-Key"))
MODELS_ONLY, CHAT_ONLY = "models", "chat"
DENIED = Axis(
    "endpoints without the permission",
    {
        f"{endpoint}, with {permission} alone": (endpoint, permission)
        for endpoint, permission in (
            ("chat", MODELS_ONLY),
            ("embeddings", MODELS_ONLY),
            ("usage", MODELS_ONLY),
            ("models", CHAT_ONLY),
            ("embeddings", CHAT_ONLY),
            ("usage", CHAT_ONLY),
        )
    },
)
"""With the only permission of the user who asks."""
OUTAGES = plain("failures of Redis", ("down", "silent"))

AXES: Axes = {
    "tokens_are_checked": (FORGERIES, ENDPOINTS),
    "keys_work_until_revoked": (PRESENTED,),
    "permissions_hold": (DENIED,),
    "redis_down_is_survived": (OUTAGES,),
    "input_is_bounded": (TEXTS, PLACES),
}
