"""The users: those that the settings name, who are there whatever becomes of the database, and the database's."""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog

from api.services.callers import Permission, Tier, User
from api.services.database import Database
from api.services.errors import UserExistsError, UserNotFoundError
from api.services.lookups import Lookups, change
from api.services.passwords import Passwords
from api.services.records import UserRecord

log = structlog.get_logger("api.users")

LONGEST_NAME = 256


@dataclass(frozen=True, slots=True)
class Account:
    """A user, and the password in the clear."""

    user: User
    password: str = field(repr=False)


class UserStore:
    """`database` is None where the settings' users are all there are."""

    def __init__(self, accounts: Iterable[Account], database: Database | None) -> None:
        self._users: dict[str, User] = {}
        self._passwords: dict[str, bytes] = {}
        for account in accounts:
            self._users[account.user.name] = account.user
            self._passwords[account.user.name] = account.password.encode()
        self._database = database
        self._lookups: Lookups[UserRecord] | None = None
        if database is not None:
            self._lookups = Lookups(database, lambda store, name: store.find_user(name))
        self._hashes = Passwords()

    async def find(self, name: str) -> User | None:
        """Return a user. Raises IdentityUnavailableError if only the database could know."""
        if name in self._users:
            return self._users[name]
        record = await self._look_up(name)
        return record.user if record else None

    async def verify(self, name: str, password: str) -> bool:
        """Whether the password is the user's; takes the same time whether or not there is such a user.

        Raises IdentityUnavailableError if only the database could know.
        """
        expected = self._passwords.get(name)
        # JSON can escape halves of surrogate pairs, which UTF-8 alone does not encode.
        matches = hmac.compare_digest(expected or b"", password.encode(errors="surrogatepass"))
        matches = matches and expected is not None
        if self._database is None:
            return matches
        record = None if expected is not None else await self._look_up(name)
        kept = await self._hashes.verify(password, record.password_hash if record else None)
        return matches or kept

    async def create(
        self, name: str, password: str, *, tier: Tier, permissions: frozenset[Permission]
    ) -> UserRecord:
        """Add a user to the database. Raises UserExistsError and IdentityUnavailableError."""
        if name in self._users or self._database is None:
            raise UserExistsError
        record = UserRecord(
            username=name,
            password_hash=await self._hashes.hash(password),
            tier=tier,
            permissions=permissions,
            created_at=datetime.now(UTC),
        )
        if not await change(self._database, lambda store: store.add_user(record)):
            raise UserExistsError
        log.info("user created", user=name)
        return record

    async def list(self) -> list[UserRecord]:
        """Return the database's users. Raises IdentityUnavailableError."""
        if self._database is None:
            return []
        return await change(self._database, lambda store: store.all_users())

    async def remove(self, name: str) -> None:
        """Remove a user of the database's, whose tokens and keys end with it.

        Raises UserNotFoundError, for the settings' users too, and IdentityUnavailableError.
        """
        if self._database is None or not is_name(name):
            raise UserNotFoundError
        now = datetime.now(UTC)
        if not await change(self._database, lambda store: store.remove_user(name, at=now)):
            raise UserNotFoundError
        if self._lookups is not None:
            self._lookups.forget(name)
        log.info("user removed", user=name)

    async def _look_up(self, name: str) -> UserRecord | None:
        if self._lookups is None or not is_name(name):
            return None
        return await self._lookups.find(name)


def is_name(text: str) -> bool:
    """Whether a user of the database's can have this name: no control characters, no halves of surrogate pairs."""
    return 0 < len(text) <= LONGEST_NAME and text.isprintable()
