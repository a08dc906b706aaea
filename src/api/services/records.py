"""What the service keeps in its database, free of how: this module does not import SQLAlchemy."""

from datetime import UTC, date, datetime
from typing import Annotated, Self
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field

from api.services.answered import Answered
from api.services.callers import Permission, Tier, User

_LARGEST_INTEGER = 2**31 - 1
_LARGEST_BIGINT = 2**63 - 1
_NANO = 1_000_000_000

Count = Annotated[int, Field(ge=0, le=_LARGEST_INTEGER)]


class UserRecord(BaseModel):
    """A user of the database's, with the password's argon2 hash."""

    model_config = ConfigDict(frozen=True)

    username: str
    password_hash: Annotated[str, Field(repr=False)]
    tier: Tier
    permissions: frozenset[Permission]
    created_at: datetime

    @property
    def user(self) -> User:
        return User(self.username, self.tier, self.permissions)


class KeyRecord(BaseModel):
    """An API key as it is kept; `id` is the part of it that is no secret."""

    model_config = ConfigDict(frozen=True)

    id: str
    hash: Annotated[bytes, Field(repr=False)]
    username: str
    name: str
    permissions: frozenset[Permission]
    created_at: datetime
    expires_at: datetime | None = None


class UsageRow(BaseModel):
    """What one request used.

    `id` is ours, so that adding a row twice adds it once. The request's own id cannot serve: callers may choose it, and
    two requests may share one. The cost is in billionths of a US dollar, which add up exactly.
    """

    model_config = ConfigDict(frozen=True)

    id: Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
    at: datetime
    request_id: Annotated[str, Field(max_length=128)]
    username: Annotated[str, Field(max_length=256)]
    tier: Tier
    key_id: Annotated[str, Field(max_length=16)] | None
    model: Annotated[str, Field(max_length=128)]
    prompt_tokens: Count
    completion_tokens: Count
    cost_nanousd: Annotated[int, Field(ge=0, le=_LARGEST_BIGINT)]
    latency_ms: Annotated[float, Field(allow_inf_nan=False)]
    status: Annotated[str, Field(max_length=64)]

    @classmethod
    def of(cls, answered: Answered) -> Self:
        """Make the row of an answer, with every value cut to what its column holds."""
        caller = answered.caller
        return cls(
            id=uuid4().hex,
            at=datetime.now(UTC),
            request_id=_column(answered.request_id, 128),
            username=_column(caller.user, 256),
            tier=caller.tier,
            key_id=caller.key,
            model=_column(answered.model, 128),
            prompt_tokens=min(answered.prompt_tokens, _LARGEST_INTEGER),
            completion_tokens=min(answered.completion_tokens, _LARGEST_INTEGER),
            cost_nanousd=min(round(answered.cost * _NANO), _LARGEST_BIGINT),
            latency_ms=round(answered.latency * 1000, 3),
            status=_column(answered.status, 64),
        )


def _column(text: str, length: int) -> str:
    """What PostgreSQL can keep of a text: no NUL, no halves of surrogate pairs."""
    return text[:length].replace("\0", "?").encode(errors="replace").decode()


class UsageGroup(BaseModel):
    """The sums of one day, model and user."""

    day: date
    model: str
    username: str
    requests: int
    errors: int
    prompt_tokens: int
    completion_tokens: int
    cost_nanousd: int
