"""Usage: a row for each answer, on disk before the answer leaves and in the database soon after.

    record() ──> outbox (disk) ──> batches ──> database

Recording takes microseconds and waits for nothing but the kernel's cache: neither a kill of the process nor a database
that is away for an hour loses a row. Batches may be delivered twice, for instance after a kill between the commit and
the removal of a segment; a row that is there already is left alone.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import UTC, date, datetime
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

import structlog
from pydantic import ValidationError

from api.services.answered import Answered
from api.services.database import Database, DatabaseUnavailableError
from api.services.errors import UsageUnavailableError
from api.services.metrics import USAGE_OUTBOX_BYTES, USAGE_OUTBOX_ROWS, USAGE_ROWS
from api.services.outbox import Outbox, OutboxFullError, Segment
from api.services.records import UsageGroup, UsageRow

if TYPE_CHECKING:
    from api.storage.store import Store

log = structlog.get_logger("api.usage")

DELIVER_SECONDS = 0.5
"""How long a row waits for others to be delivered with, while the database is up."""
ADOPT_SECONDS = 10.0
"""How often to look for segments of processes that have died."""
BATCH_ROWS = 500
INSERT_SECONDS = 10.0
READ_SECONDS = 5.0
FLUSH_SECONDS = 1.0
CLOSE_SECONDS = 1.0


class UsageLedger:
    def __init__(self, outbox: Outbox, database: Database) -> None:
        self._outbox = outbox
        self._database = database
        self._wake = asyncio.Event()
        self._idle = asyncio.Condition()
        self._closing = False
        self._losing = False
        self._adopted_at = -ADOPT_SECONDS
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to deliver, in the background; what dead processes left goes first."""
        self._task = asyncio.create_task(self._run(), name="usage")

    def observe(self, answered: Answered) -> None:
        """Record an answer. Never raises: no caller may lose an answer because it could not be counted."""
        try:
            self.record(UsageRow.of(answered))
        except (OSError, OutboxFullError, ValueError) as error:
            self._count("lost", error)
        else:
            self._count("recorded", None)

    def record(self, row: UsageRow) -> None:
        """Write a row to the outbox. Raises OutboxFullError, or OSError if the disk does not take it."""
        self._outbox.append(row.model_dump_json().encode())
        self._measure()

    @property
    def pending(self) -> int:
        """Rows of this process that are not in the database yet."""
        return self._outbox.lines

    async def flush(self, timeout: float = FLUSH_SECONDS) -> None:
        """Deliver what is recorded, unless the database is down; gives up after `timeout` seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout), self._idle:
                while self.pending and self._database.up:
                    self._wake.set()
                    await self._idle.wait()

    async def read(self, *, username: str | None, since: date, until: date) -> Sequence[UsageGroup]:
        """Return sums by day, model and user, of one user or of all; delivers what waits before if that is quick.

        Raises UsageUnavailableError if the database is down.
        """
        await self.flush()
        try:
            return await self._database.run(
                lambda store: store.usage(username=username, since=since, until=until), timeout=READ_SECONDS
            )
        except DatabaseUnavailableError as error:
            raise UsageUnavailableError(str(error)) from None

    async def spent_today(self, username: str) -> float:
        """US dollars that a user's answers of today (UTC) have cost. Raises UsageUnavailableError."""
        today = datetime.now(UTC).date()
        groups = await self.read(username=username, since=today, until=today)
        return sum(group.cost_nanousd for group in groups) / 1e9

    async def close(self) -> None:
        """Deliver what can be delivered within CLOSE_SECONDS; the rest stays on disk for the next start."""
        self._closing = True
        self._wake.set()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=CLOSE_SECONDS)
            self._task.cancel()
            await asyncio.wait([self._task])
        self._outbox.close()

    async def _run(self) -> None:
        while True:
            closing = self._closing
            try:
                await self._round()
            except Exception:  # whatever it is, the rows are safe, and the next round may do better
                log.exception("usage could not be delivered")
            async with self._idle:
                self._idle.notify_all()
            if closing:
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DELIVER_SECONDS):
                    await self._wake.wait()
            self._wake.clear()

    async def _round(self) -> None:
        if monotonic() - self._adopted_at >= ADOPT_SECONDS:
            orphans = await asyncio.to_thread(self._outbox.find_orphans)
            self._outbox.adopt(orphans)
            self._adopted_at = monotonic()
            if orphans:
                log.info("usage of dead processes taken over", rows=sum(orphan.lines for orphan in orphans))
        if self._database.up:
            self._outbox.seal()
            with contextlib.suppress(DatabaseUnavailableError):
                while (segment := self._outbox.first) is not None:
                    await self._deliver(segment)
                    self._outbox.remove_first()
        if self.pending and not self._database.up:
            await asyncio.to_thread(self._outbox.sync)
        self._measure()

    async def _deliver(self, segment: Segment) -> None:
        """Raises DatabaseUnavailableError."""
        while True:
            lines, size = await asyncio.to_thread(segment.read, BATCH_ROWS)
            if not lines:
                return
            rows = [row for line in lines if (row := _parse(line)) is not None]
            if rows:
                await self._database.run(partial(_add, rows), timeout=INSERT_SECONDS)
            segment.advance(len(lines), size)
            USAGE_ROWS.labels("delivered").inc(len(rows))
            self._measure()

    def _count(self, outcome: str, error: Exception | None) -> None:
        """Count a row, and log when rows begin or cease to be lost."""
        USAGE_ROWS.labels(outcome).inc()
        if error is not None and not self._losing:
            log.error("usage is being lost", reason=type(error).__name__, detail=str(error))
        elif error is None and self._losing:
            log.info("usage is kept again")
        self._losing = error is not None

    def _measure(self) -> None:
        USAGE_OUTBOX_ROWS.set(self._outbox.lines)
        USAGE_OUTBOX_BYTES.set(self._outbox.size)


async def _add(rows: Sequence[UsageRow], store: "Store") -> None:
    await store.add_usage(rows)


def _parse(line: bytes) -> UsageRow | None:
    """The row, or None for a line that is empty or damaged: written when the disk was full, or the machine crashed."""
    if not line:
        return None
    with contextlib.suppress(ValidationError):
        return UsageRow.model_validate_json(line)
    USAGE_ROWS.labels("damaged").inc()
    log.error("a damaged row of usage was left out", bytes=len(line))
    return None
