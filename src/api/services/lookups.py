"""Things looked up in the database for nearly every request: remembered for a moment, and for longer while it is down."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from api.services.database import Database, DatabaseUnavailableError
from api.services.errors import IdentityUnavailableError

if TYPE_CHECKING:
    from api.storage.store import Store

T = TypeVar("T")

FRESH_SECONDS = 1.0
"""What was looked up is used for so long without another look: an instance learns of a revocation elsewhere within this
time. Without it, every request would cost the database a query."""
GRACE_SECONDS = 300.0
"""While the database is down, what was looked up so recently goes on working."""
PATIENCE_SECONDS = 0.25
"""How long a request waits for a look if what is remembered would do."""
QUERY_SECONDS = 2.0
MOST_REMEMBERED = 10_000


@dataclass(slots=True)
class _Remembered(Generic[T]):
    value: T
    looked_up: float


class Lookups(Generic[T]):
    """`query` finds a value by its name, or returns None; only values that were found are remembered."""

    def __init__(
        self,
        database: Database,
        query: "Callable[[Store, str], Coroutine[Any, Any, T | None]]",
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._query = query
        self._clock = clock
        self._remembered: dict[str, _Remembered[T]] = {}
        self._flights: dict[str, asyncio.Task[T | None]] = {}

    async def find(self, name: str) -> T | None:
        """Return the value, as it was FRESH_SECONDS ago at worst, or GRACE_SECONDS if the database is down.

        Raises IdentityUnavailableError if the database is down and the value not remembered.
        """
        remembered = self._remembered.get(name)
        age = self._clock() - remembered.looked_up if remembered else float("inf")
        if remembered and age < FRESH_SECONDS:
            return remembered.value
        fallback = remembered if age < GRACE_SECONDS else None
        flight = self._flights.get(name) or self._begin(name)
        await asyncio.wait([flight], timeout=PATIENCE_SECONDS if fallback else None)
        if flight.done() and flight.exception() is None:
            return flight.result()
        if fallback:
            return fallback.value
        raise IdentityUnavailableError("the database is down")

    def forget(self, name: str) -> None:
        """Look again next time."""
        self._remembered.pop(name, None)
        self._flights.pop(name, None)

    def _begin(self, name: str) -> asyncio.Task[T | None]:
        """One query at a time for each name, however many ask."""
        flight = asyncio.create_task(self._look_up(name))
        self._flights[name] = flight
        flight.add_done_callback(lambda _: self._land(name, flight))
        return flight

    async def _look_up(self, name: str) -> T | None:
        return await self._database.run(lambda store: self._query(store, name), timeout=QUERY_SECONDS)

    def _land(self, name: str, flight: asyncio.Task[T | None]) -> None:
        failed = flight.cancelled() or flight.exception() is not None
        if self._flights.get(name) is not flight:
            return  # it was told to forget meanwhile
        del self._flights[name]
        if failed:
            return
        self._remembered.pop(name, None)
        if (value := flight.result()) is not None:
            if len(self._remembered) >= MOST_REMEMBERED:
                del self._remembered[next(iter(self._remembered))]
            self._remembered[name] = _Remembered(value, self._clock())


async def change(database: Database, query: "Callable[[Store], Coroutine[Any, Any, T]]") -> T:
    """Read or write what identities rest on. Raises IdentityUnavailableError if the database is down."""
    try:
        return await database.run(query, timeout=QUERY_SECONDS)
    except DatabaseUnavailableError as error:
        raise IdentityUnavailableError(str(error)) from None
