"""API keys of one's own."""

from datetime import datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.routers.dependencies import Authenticated, ServicesDep
from api.services.callers import Permission
from api.services.records import KeyRecord

router = APIRouter(prefix="/v1/api-keys", tags=["api keys"])

_TEN_YEARS = 10 * 365 * 24 * 3600


class NewKey(BaseModel):
    """`expires_in` is in seconds; without it the key is good until it is revoked. By default it may do all you may."""

    name: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")]
    permissions: frozenset[Permission] | None = None
    expires_in: Annotated[int, Field(ge=1, le=_TEN_YEARS)] | None = None


class KeyCard(BaseModel):
    id: str
    object: Literal["api_key"] = "api_key"
    name: str
    permissions: list[Permission]
    created_at: datetime
    expires_at: datetime | None

    @classmethod
    def describe(cls, key: KeyRecord) -> "KeyCard":
        return cls(
            id=key.id,
            name=key.name,
            permissions=sorted(key.permissions),
            created_at=key.created_at,
            expires_at=key.expires_at,
        )


class CreatedKey(KeyCard):
    """The one answer that has the key itself."""

    key: str


class KeyList(BaseModel):
    object: Literal["list"] = "list"
    data: list[KeyCard]


@router.post("", status_code=201)
async def create(body: NewKey, caller: Authenticated, services: ServicesDep) -> CreatedKey:
    """Make a key. It is shown here and never again."""
    key, text = await services.api_keys.create(
        caller,
        name=body.name,
        permissions=caller.permissions if body.permissions is None else body.permissions,
        lifetime=None if body.expires_in is None else timedelta(seconds=body.expires_in),
    )
    return CreatedKey(**KeyCard.describe(key).model_dump(), key=text)


@router.get("")
async def list_keys(caller: Authenticated, services: ServicesDep) -> KeyList:
    """List your keys that are not revoked."""
    return KeyList(data=[KeyCard.describe(key) for key in await services.api_keys.list(caller)])


@router.delete("/{key_id}", status_code=204)
async def revoke(key_id: str, caller: Authenticated, services: ServicesDep) -> None:
    """End a key: at once on this instance, within a second on all others. Admins may end anybody's."""
    await services.api_keys.revoke(caller, key_id)
