"""The queries: everything that the service asks of its database."""

import asyncio
from collections.abc import Sequence
from datetime import date, datetime
from importlib import import_module
from pathlib import Path

from sqlalchemy import Connection, RowMapping, case, func, inspect, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncEngine

from api.services.records import KeyRecord, UsageGroup, UsageRow, UserRecord
from api.storage.engine import make_engine
from api.storage.tables import REVISION, api_keys, usage, users

MOST_GROUPS = 10_000
MOST_USERS = 1_000


class Store:
    """A database that may not be there: every method raises what SQLAlchemy or the driver raises then."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        insert = postgresql.insert if engine.dialect.name == "postgresql" else sqlite.insert
        self._insert_user = insert(users).on_conflict_do_nothing()
        self._insert_usage = insert(usage).on_conflict_do_nothing()

    @classmethod
    def open(cls, database: str | Path) -> "Store":
        """Return the store in a PostgreSQL database, by its URL, or in a file of SQLite's; connects to nothing yet."""
        return cls(make_engine(database))

    async def migrate(self) -> None:
        """Bring the schema up to date; several processes may do so at once."""
        async with self._engine.connect() as connection:
            if await connection.run_sync(_is_current):
                return
        # Alembic takes 8 MB, and most starts do without it.
        steps = await asyncio.to_thread(import_module, "api.storage.migrate")
        async with self._engine.begin() as connection:
            await connection.run_sync(steps.migrate)

    async def ping(self) -> None:
        async with self._engine.connect() as connection:
            await connection.execute(select(1))

    async def close_connections(self) -> None:
        """Close idle connections, dead or alive; the next query makes a new one."""
        await self._engine.dispose()

    async def add_user(self, user: UserRecord) -> bool:
        """Add a user; returns False if the name is taken."""
        values = {**user.model_dump(), "permissions": sorted(user.permissions)}
        async with self._engine.begin() as connection:
            return (await connection.execute(self._insert_user, values)).rowcount == 1

    async def find_user(self, username: str) -> UserRecord | None:
        query = select(users).where(users.c.username == username)
        async with self._engine.connect() as connection:
            row = (await connection.execute(query)).mappings().one_or_none()
        return None if row is None else UserRecord.model_validate(dict(row))

    async def all_users(self) -> list[UserRecord]:
        """Return the first MOST_USERS by name."""
        query = select(users).order_by(users.c.username).limit(MOST_USERS)
        async with self._engine.connect() as connection:
            return [
                UserRecord.model_validate(dict(row)) for row in (await connection.execute(query)).mappings()
            ]

    async def remove_user(self, username: str, *, at: datetime) -> bool:
        """Remove a user and revoke the user's keys; returns False if there is none of that name."""
        async with self._engine.begin() as connection:
            removed = await connection.execute(users.delete().where(users.c.username == username))
            if removed.rowcount:
                revoke = api_keys.update().where(
                    api_keys.c.username == username, api_keys.c.revoked_at.is_(None)
                )
                await connection.execute(revoke.values(revoked_at=at))
        return removed.rowcount == 1

    async def add_key(self, key: KeyRecord) -> None:
        async with self._engine.begin() as connection:
            await connection.execute(
                api_keys.insert().values(
                    id=key.id,
                    hash=key.hash,
                    username=key.username,
                    name=key.name,
                    permissions=sorted(key.permissions),
                    created_at=key.created_at,
                    expires_at=key.expires_at,
                )
            )

    async def find_key(self, key_id: str) -> KeyRecord | None:
        """Return a key that is not revoked, expired or not."""
        query = select(api_keys).where(api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None))
        async with self._engine.connect() as connection:
            row = (await connection.execute(query)).mappings().one_or_none()
        return None if row is None else _key(row)

    async def keys_of(self, username: str) -> list[KeyRecord]:
        """Return a user's keys that are not revoked, the oldest first."""
        query = (
            select(api_keys)
            .where(api_keys.c.username == username, api_keys.c.revoked_at.is_(None))
            .order_by(api_keys.c.created_at, api_keys.c.id)
        )
        async with self._engine.connect() as connection:
            return [_key(row) for row in (await connection.execute(query)).mappings()]

    async def revoke_key(self, key_id: str, *, at: datetime) -> None:
        revoke = api_keys.update().where(api_keys.c.id == key_id).values(revoked_at=at)
        async with self._engine.begin() as connection:
            await connection.execute(revoke)

    async def add_usage(self, rows: Sequence[UsageRow]) -> None:
        """Add rows; those that are there already, by their id, are left alone."""
        values = [{**row.model_dump(), "day": row.at.date()} for row in rows]
        async with self._engine.begin() as connection:
            await connection.execute(self._insert_usage, values)

    async def usage(self, *, username: str | None, since: date, until: date) -> list[UsageGroup]:
        """Return sums by day, model and user, of one user or of all, both days included; at most MOST_GROUPS."""
        keys = usage.c.day, usage.c.model, usage.c.username
        query = (
            select(
                *keys,
                func.count().label("requests"),
                func.sum(case((usage.c.status == "ok", 0), else_=1)).label("errors"),
                func.sum(usage.c.prompt_tokens).label("prompt_tokens"),
                func.sum(usage.c.completion_tokens).label("completion_tokens"),
                func.sum(usage.c.cost_nanousd).label("cost_nanousd"),
            )
            .where(usage.c.day.between(since, until))
            .group_by(*keys)
            .order_by(*keys)
            .limit(MOST_GROUPS)
        )
        if username is not None:
            query = query.where(usage.c.username == username)
        async with self._engine.connect() as connection:
            return [
                UsageGroup.model_validate(dict(row)) for row in (await connection.execute(query)).mappings()
            ]


def _is_current(connection: Connection) -> bool:
    """Whether the schema is the one that the tables describe."""
    if not inspect(connection).has_table("alembic_version"):
        return False
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all() == [REVISION]


def _key(row: RowMapping) -> KeyRecord:
    return KeyRecord.model_validate({name: row[name] for name in KeyRecord.model_fields})
