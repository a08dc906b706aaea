"""What was used, by day, model and user."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel

from api.routers.dependencies import Authenticated, ServicesDep
from api.services.callers import Permission
from api.services.errors import PermissionDeniedError
from api.services.records import UsageGroup

router = APIRouter(prefix="/v1/usage", tags=["usage"])

EVERYBODY = "*"
DEFAULT_DAYS = 30


class Totals(BaseModel):
    """`requests` are all that were answered, `errors` those of them that failed; `cost` is in US dollars."""

    requests: int = 0
    errors: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    cost: float = 0.0


class Group(Totals):
    day: date
    model: str
    user: str


class Usage(BaseModel):
    """`pending` rows were recorded by this instance and are not in the database, so not in the sums."""

    object: Literal["usage"] = "usage"
    user: str
    since: date
    until: date
    totals: Totals
    data: list[Group]
    pending: int


@router.get("")
async def usage(
    caller: Authenticated,
    services: ServicesDep,
    user: Annotated[str | None, Query(max_length=256, pattern=r"^[^\x00]*$")] = None,
    since: date | None = None,
    until: date | None = None,
) -> Usage:
    """Your usage of the last 30 days or of `since` to `until` (UTC); admins may ask for another `user`, or `*` for all."""
    whose = caller.user if user is None else user
    everybody = user == EVERYBODY
    needed = Permission.USAGE if whose == caller.user and not everybody else Permission.ADMIN
    if needed not in caller.permissions:
        raise PermissionDeniedError(f"lacks {needed}")
    until = until or datetime.now(UTC).date()
    since = since or until - timedelta(days=min(DEFAULT_DAYS - 1, until.toordinal() - 1))
    groups = await services.usage.read(username=None if everybody else whose, since=since, until=until)
    return Usage(
        user=whose,
        since=since,
        until=until,
        totals=_sum(groups),
        data=[
            Group(day=group.day, model=group.model, user=group.username, **_sum([group]).model_dump())
            for group in groups
        ],
        pending=services.usage.pending,
    )


def _sum(groups: Sequence[UsageGroup]) -> Totals:
    prompt = sum(group.prompt_tokens for group in groups)
    completion = sum(group.completion_tokens for group in groups)
    return Totals(
        requests=sum(group.requests for group in groups),
        errors=sum(group.errors for group in groups),
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=prompt + completion,
        cost=sum(group.cost_nanousd for group in groups) / 1e9,
    )
