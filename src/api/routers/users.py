"""The database's users, for admins."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import AfterValidator, BaseModel, Field, SecretStr

from api.routers.dependencies import ServicesDep, permitted
from api.services.callers import Permission, Tier
from api.services.records import UserRecord
from api.services.users import LONGEST_NAME, is_name

router = APIRouter(prefix="/v1/users", tags=["users"], dependencies=[Depends(permitted(Permission.ADMIN))])


def _name(text: str) -> str:
    if not is_name(text):
        raise ValueError("must be made of printable characters")
    return text


class NewUser(BaseModel):
    username: Annotated[str, Field(min_length=1, max_length=LONGEST_NAME), AfterValidator(_name)]
    password: Annotated[SecretStr, Field(min_length=8, max_length=1024)]
    tier: Tier = Tier.FREE
    permissions: frozenset[Permission]


class UserCard(BaseModel):
    username: str
    object: Literal["user"] = "user"
    tier: Tier
    permissions: list[Permission]
    created_at: datetime

    @classmethod
    def describe(cls, record: UserRecord) -> "UserCard":
        return cls(
            username=record.username,
            tier=record.tier,
            permissions=sorted(record.permissions),
            created_at=record.created_at,
        )


class UserList(BaseModel):
    object: Literal["list"] = "list"
    data: list[UserCard]


@router.post("", status_code=201)
async def create(body: NewUser, services: ServicesDep) -> UserCard:
    """Add a user."""
    record = await services.users.create(
        body.username, body.password.get_secret_value(), tier=body.tier, permissions=body.permissions
    )
    return UserCard.describe(record)


@router.get("")
async def list_users(services: ServicesDep) -> UserList:
    """List the users that were added, without those that the service's settings name."""
    return UserList(data=[UserCard.describe(record) for record in await services.users.list()])


@router.delete("/{username}", status_code=204)
async def remove(username: str, services: ServicesDep) -> None:
    """Remove a user that was added; its keys are revoked, and its tokens end with it."""
    await services.users.remove(username)
