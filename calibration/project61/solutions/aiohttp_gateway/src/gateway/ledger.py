"""The record of usage.

A record is a line in a file of this process before its answer ends. A task carries the files to
PostgreSQL, where the record's id makes a second delivery harmless, and removes them. The owner of a
file holds a lock on it; a file without a lock belongs to a process that has died, and is adopted.
"""

import asyncio
import fcntl
import json
import os
import uuid
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import structlog

from .database import Database, Unavailable
from .metrics import Metrics

log = structlog.get_logger("gateway.ledger")


def today() -> date:
    return datetime.now(UTC).date()


def clean(text: str) -> str:
    """A text that PostgreSQL can store."""
    return text.encode("utf-8", "replace").decode().replace("\0", "?")[:256]


@dataclass(frozen=True)
class Record:
    id: str
    day: str
    username: str
    model: str
    prompt_tokens: int
    completion_tokens: int
    cost: str

    @classmethod
    def new(cls, username: str, model: str, prompt: int, completion: int, cost: Decimal) -> "Record":
        return cls(
            uuid.uuid4().hex, today().isoformat(), clean(username), clean(model), prompt, completion, str(cost)
        )

    def row(self) -> tuple[Any, ...]:
        return (
            uuid.UUID(self.id), date.fromisoformat(self.day), self.username, self.model,
            self.prompt_tokens, self.completion_tokens, Decimal(self.cost),
        )


class Segment:
    """A file of records, locked for as long as it is open."""

    def __init__(self, path: Path, descriptor: int, records: list[Record]) -> None:
        self.path = path
        self.records = records
        self._descriptor = descriptor

    @classmethod
    def create(cls, folder: Path) -> "Segment":
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{uuid.uuid4().hex}.jsonl"
        fresh = path.with_suffix(".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        fresh.rename(path)  # nobody sees the file without its lock
        return cls(path, descriptor, [])

    @classmethod
    def adopt(cls, path: Path) -> "Segment | None":
        try:
            descriptor = os.open(path, os.O_RDWR)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        records = []
        for line in path.read_text().splitlines() if path.exists() else []:
            try:
                records.append(Record(**json.loads(line)))
            except (ValueError, TypeError):
                log.warning("a torn line of usage is left out", file=path.name)
        return cls(path, descriptor, records)

    def append(self, record: Record) -> None:
        os.write(self._descriptor, json.dumps(asdict(record)).encode() + b"\n")
        self.records.append(record)

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
        os.close(self._descriptor)


class Ledger:
    def __init__(self, folder: Path, database: Database, metrics: Metrics) -> None:
        self._folder = folder
        self._database = database
        self._metrics = metrics
        self._current: Segment | None = None
        self._sealed: list[Segment] = []
        self._news = asyncio.Event()
        self._delivering = asyncio.Lock()

    def append(self, record: Record) -> None:
        if self._current is None:
            self._current = Segment.create(self._folder)
        self._current.append(record)
        self._metrics.usage_pending.inc()
        self._news.set()

    def pending(self) -> list[Record]:
        segments = [*self._sealed, *([self._current] if self._current else [])]
        return [record for segment in segments for record in segment.records]

    def adopt(self) -> None:
        if not self._folder.is_dir():
            return
        for path in self._folder.glob("*.jsonl"):
            segment = Segment.adopt(path)
            if segment is not None:
                log.info("usage of a process that has died is adopted", records=len(segment.records))
                self._metrics.usage_pending.inc(len(segment.records))
                self._sealed.append(segment)

    async def deliver(self) -> None:
        async with self._delivering:
            if self._current is not None:
                self._sealed.append(self._current)
                self._current = None
            while self._sealed:
                segment = self._sealed[0]
                if segment.records:
                    rows = [record.row() for record in segment.records]
                    await self._database.run(partial(self._insert, rows), 5)
                self._sealed.pop(0)
                segment.remove()
                self._metrics.usage_pending.dec(len(segment.records))

    @staticmethod
    async def _insert(rows: list[tuple[Any, ...]], connection: asyncpg.Connection) -> None:
        async with connection.transaction():
            await connection.executemany(
                "INSERT INTO usage_records VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING",
                rows,
            )

    async def run(self) -> None:
        looked = 0.0
        clock = asyncio.get_running_loop().time
        while True:
            if clock() - looked > 10:
                self.adopt()
                looked = clock()
            try:
                await self.deliver()
            except Unavailable as error:
                log.warning("usage waits for the database", reason=str(error), records=len(self.pending()))
                await asyncio.sleep(1)
                continue
            except Exception:
                log.exception("usage could not be delivered")
                await asyncio.sleep(5)
                continue
            self._news.clear()
            if self._current is None:
                try:
                    async with asyncio.timeout(5):
                        await self._news.wait()
                except TimeoutError:
                    pass
            await asyncio.sleep(0.1)

    async def close(self) -> None:
        try:
            await self.deliver()
        except Unavailable:
            log.warning("usage stays in files until the next start", records=len(self.pending()))


class UsageReport:
    """What users have used, from the database."""

    def __init__(self, database: Database, ledger: Ledger) -> None:
        self._database = database
        self._ledger = ledger

    async def read(self, username: str | None, since: date | None, until: date | None) -> dict[str, Any]:
        await self._ledger.deliver()
        rows = await self._database.run(
            lambda connection: connection.fetch(
                "SELECT day, model, username, count(*) AS requests, sum(prompt_tokens) AS prompt_tokens,"
                " sum(completion_tokens) AS completion_tokens, sum(cost) AS cost FROM usage_records"
                " WHERE ($1::text IS NULL OR username = $1)"
                " AND ($2::date IS NULL OR day >= $2) AND ($3::date IS NULL OR day <= $3)"
                " GROUP BY day, model, username ORDER BY day, model, username",
                username, since, until,
            )
        )
        numbers = ("requests", "prompt_tokens", "completion_tokens")
        total = {name: int(sum(row[name] for row in rows)) for name in numbers}
        total["cost"] = float(sum(row["cost"] for row in rows))
        data = [
            {"day": row["day"].isoformat(), "model": row["model"], "user": row["username"]}
            | {name: int(row[name]) for name in numbers}
            | {"cost": float(row["cost"])}
            for row in rows
        ]
        return {"object": "usage", "user": username or "*", "total": total, "data": data}

    async def spent_today(self, username: str) -> Decimal:
        name = clean(username)
        stored = await self._database.run(
            lambda connection: connection.fetchval(
                "SELECT coalesce(sum(cost), 0) FROM usage_records WHERE username = $1 AND day = $2",
                name, today(),
            ),
            0.5,
        )
        day = today().isoformat()
        mine = (one for one in self._ledger.pending() if one.username == name and one.day == day)
        return stored + sum((Decimal(one.cost) for one in mine), Decimal(0))
