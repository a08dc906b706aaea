"""The users of this service, as its settings name them; they are there whatever becomes of the database."""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field

from api.services.callers import User


@dataclass(frozen=True, slots=True)
class Account:
    """A user, and the password in the clear."""

    user: User
    password: str = field(repr=False)


class UserStore:
    def __init__(self, accounts: Iterable[Account]) -> None:
        self._users: dict[str, User] = {}
        self._passwords: dict[str, bytes] = {}
        for account in accounts:
            self._users[account.user.name] = account.user
            self._passwords[account.user.name] = account.password.encode()

    def get(self, name: str) -> User | None:
        return self._users.get(name)

    def verify(self, name: str, password: str) -> bool:
        """Whether the password is the user's; takes the same time whether or not there is such a user."""
        expected = self._passwords.get(name)
        # JSON can escape halves of surrogate pairs, which UTF-8 alone does not encode.
        matches = hmac.compare_digest(expected or b"", password.encode(errors="surrogatepass"))
        return matches and expected is not None
