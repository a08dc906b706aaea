"""Hashes of the passwords that the database keeps: argon2id, with the least parameters that OWASP recommends.

See https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html. A hash takes 19 MiB and some 20 ms
of a core, so that they are made in threads and few at once.
"""

import asyncio
import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

AT_ONCE = 2


class Passwords:
    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._nobodys: str | None = None

    async def hash(self, password: str) -> str:
        async with self._turn:
            return await asyncio.to_thread(self._hasher.hash, _bytes(password))

    async def verify(self, password: str, expected: str | None) -> bool:
        """Whether the password has this hash; takes the same time without one."""
        if expected is None:
            self._nobodys = self._nobodys or await self.hash(secrets.token_hex())
        async with self._turn:
            matches = await asyncio.to_thread(self._matches, password, expected or self._nobodys or "")
        return matches and expected is not None

    def _matches(self, password: str, expected: str) -> bool:
        try:
            return self._hasher.verify(expected, _bytes(password))
        except (VerificationError, InvalidHashError):
            return False


def _bytes(password: str) -> bytes:
    # JSON can escape halves of surrogate pairs, which UTF-8 alone does not encode.
    return password.encode(errors="surrogatepass")
