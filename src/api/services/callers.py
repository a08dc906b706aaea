"""Who calls: a user, what the user pays for, and what the user may do."""

from dataclasses import dataclass
from enum import StrEnum


class Tier(StrEnum):
    """What a user pays for; limits depend on it."""

    FREE = "free"
    PREMIUM = "premium"
    ENTERPRISE = "enterprise"


class Permission(StrEnum):
    """What a user may do; `admin` allows to see and end what is others'."""

    CHAT = "chat"
    EMBEDDINGS = "embeddings"
    MODELS = "models"
    USAGE = "usage"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may log in."""

    name: str
    tier: Tier
    permissions: frozenset[Permission]


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever was authenticated for a request; `key` is the id of the API key that was used, if one was."""

    user: str
    tier: Tier
    permissions: frozenset[Permission]
    key: str | None = None
