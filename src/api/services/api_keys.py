"""API keys: made once, shown once, and kept as a hash that is of no use without the service's secret.

    llm_<id: 16 letters and digits>_<secret: 43 characters, 256 bits>

A key is found by its id, which is no secret, and proved by the HMAC of the whole. The HMAC's key is derived from the
secret that signs tokens, so that whoever reads the database alone can neither use nor forge a key.
"""

import hmac
import re
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog

from api.services.callers import Caller, Permission
from api.services.database import Database
from api.services.errors import (
    ApiKeyNotFoundError,
    NotAuthenticatedError,
    PermissionDeniedError,
    TooManyKeysError,
)
from api.services.lookups import Lookups, change
from api.services.records import KeyRecord
from api.services.users import UserStore

log = structlog.get_logger("api.api_keys")

PREFIX = "llm_"
MOST_KEYS = 100
"""A user's keys that are not revoked."""

_FORM = re.compile(r"llm_([A-Za-z0-9]{16})_[A-Za-z0-9_-]{43}")
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def derive_key(secret: str, purpose: str) -> bytes:
    """Return a key of 32 bytes for one purpose, by HKDF with SHA-256 and without a salt (RFC 5869)."""
    extracted = hmac.digest(bytes(32), secret.encode(), "sha256")
    return hmac.digest(extracted, purpose.encode() + b"\x01", "sha256")


class ApiKeys:
    def __init__(
        self,
        database: Database,
        users: UserStore,
        *,
        secret: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._users = users
        self._hash_key = derive_key(secret, "api-keys")
        self._keys = Lookups(database, lambda store, key_id: store.find_key(key_id), clock=clock)

    async def create(
        self, owner: Caller, *, name: str, permissions: frozenset[Permission], lifetime: timedelta | None
    ) -> tuple[KeyRecord, str]:
        """Return a new key's record, and the key itself, which nobody can show again.

        Raises PermissionDeniedError for permissions that the owner lacks and for owners who came with a key (a stolen
        one could renew itself), TooManyKeysError, and IdentityUnavailableError.
        """
        if owner.key is not None:
            raise PermissionDeniedError("API keys are made with a token")
        if not permissions <= owner.permissions:
            raise PermissionDeniedError("a key cannot do more than its owner")
        if len(await self.list(owner)) >= MOST_KEYS:
            raise TooManyKeysError
        key_id = "".join(secrets.choice(_ALPHABET) for _ in range(16))
        text = f"{PREFIX}{key_id}_{secrets.token_urlsafe(32)}"
        now = datetime.now(UTC)
        key = KeyRecord(
            id=key_id,
            hash=self._hash(text),
            username=owner.user,
            name=name,
            permissions=permissions,
            created_at=now,
            expires_at=None if lifetime is None else now + lifetime,
        )
        await change(self._database, lambda store: store.add_key(key))
        log.info("api key created", key=key_id, user=owner.user)
        return key, text

    async def list(self, owner: Caller) -> list[KeyRecord]:
        """Return the caller's keys that are not revoked. Raises IdentityUnavailableError."""
        return await change(self._database, lambda store: store.keys_of(owner.user))

    async def revoke(self, caller: Caller, key_id: str) -> None:
        """End a key: here at once, on other instances within `lookups.FRESH_SECONDS`.

        Raises ApiKeyNotFoundError for a key that does not exist, is revoked already or is somebody else's (unless the
        caller is an admin), and IdentityUnavailableError.
        """
        if not key_id.isascii() or not key_id.isalnum():
            raise ApiKeyNotFoundError
        key = await change(self._database, lambda store: store.find_key(key_id))
        if key is None or (key.username != caller.user and Permission.ADMIN not in caller.permissions):
            raise ApiKeyNotFoundError
        await change(self._database, lambda store: store.revoke_key(key_id, at=datetime.now(UTC)))
        self._keys.forget(key_id)
        log.info("api key revoked", key=key_id, user=key.username, by=caller.user)

    async def verify(self, text: str) -> Caller:
        """Return the caller that a key stands for.

        Raises NotAuthenticatedError for a key that is unknown, revoked, expired or of a user who is gone, and
        IdentityUnavailableError if that cannot be known because the database is down.
        """
        match = _FORM.fullmatch(text)
        if match is None:
            raise NotAuthenticatedError("malformed API key")
        key = await self._keys.find(match[1])
        if key is None or not hmac.compare_digest(key.hash, self._hash(text)):
            raise NotAuthenticatedError("unknown API key")
        if key.expires_at is not None and key.expires_at <= datetime.now(UTC):
            raise NotAuthenticatedError("expired API key")
        user = await self._users.find(key.username)
        if user is None:
            raise NotAuthenticatedError("API key of an unknown user")
        return Caller(
            user=user.name, tier=user.tier, permissions=key.permissions & user.permissions, key=key.id
        )

    def _hash(self, text: str) -> bytes:
        return hmac.digest(self._hash_key, text.encode(), "sha256")
