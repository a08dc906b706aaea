"""API keys: shown once, stored as a hash, looked up at each request so that a revoked one ends at once."""

import hashlib
import re
import secrets
import uuid
from typing import Any

from .database import Database

PREFIX = "igw_"
ID = re.compile(r"[0-9a-f]{32}")


def hashed(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


class ApiKeys:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, username: str, name: str) -> tuple[str, str]:
        identity, key = uuid.uuid4().hex, PREFIX + secrets.token_urlsafe(32)
        await self._database.run(
            lambda connection: connection.execute(
                "INSERT INTO api_keys (id, username, name, hash) VALUES ($1, $2, $3, $4)",
                identity, username, name, hashed(key),
            )
        )
        return identity, key

    async def owner(self, key: str) -> str | None:
        if not key.startswith(PREFIX):
            return None
        return await self._database.run(
            lambda connection: connection.fetchval(
                "SELECT username FROM api_keys WHERE hash = $1 AND revoked_at IS NULL", hashed(key)
            )
        )

    async def of(self, username: str) -> list[dict[str, Any]]:
        rows = await self._database.run(
            lambda connection: connection.fetch(
                "SELECT id, name, created_at FROM api_keys"
                " WHERE username = $1 AND revoked_at IS NULL ORDER BY created_at",
                username,
            )
        )
        return [
            {"id": row["id"], "name": row["name"], "created_at": row["created_at"].isoformat()}
            for row in rows
        ]

    async def revoke(self, username: str, identity: str) -> bool:
        if not ID.fullmatch(identity):
            return False
        found = await self._database.run(
            lambda connection: connection.fetchval(
                "UPDATE api_keys SET revoked_at = now()"
                " WHERE id = $1 AND username = $2 AND revoked_at IS NULL RETURNING id",
                identity, username,
            )
        )
        return found is not None
