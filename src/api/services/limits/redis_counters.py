"""Counters in Redis, which all instances and workers share.

    reserve ──┐                 ┌─ adjustments ─┐
    reserve ──┼──> waiting ──>  │  reservations  │ ──> one pipeline at a time, on one connection
    adjust ───┘                 └───────────────┘

A reservation is one script: atomic, and one round trip. Those that come while a pipeline is under way go together with
the next one. So there is no pool to wait for, and no connection to set up when many requests come at once.

Adjustments go with the next reservation, and before it, so that a process always sees its own. Only where none comes do
they go by themselves.
"""

import asyncio
import hashlib
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError

from api.services.limits.counters import Adjustment, Charge, Count, Reservation, Status

CLOSE_SECONDS = 1.0
ADJUST_SECONDS = 0.05
"""How long adjustments wait for a reservation to go with: a request would pay for two pipelines otherwise."""

_RESERVE = Path(__file__).with_name("reserve.lua").read_bytes()
_ADJUST = Path(__file__).with_name("adjust.lua").read_bytes()
_RESERVE_SHA = hashlib.sha1(_RESERVE, usedforsecurity=False).hexdigest()
_ADJUST_SHA = hashlib.sha1(_ADJUST, usedforsecurity=False).hexdigest()

Command = tuple[Any, ...]


class RedisCounters:
    """Connects when it is first used, and again after a failure.

    `timeout` is how long a pipeline may take, in seconds, connecting included. It is there for servers that have died:
    callers that wait less cancel their reservations.
    """

    def __init__(self, url: str, *, timeout: float = 1.0) -> None:
        self._timeout = timeout
        self._redis = Redis.from_url(
            url,
            protocol=2,  # RESP 3 takes another round trip to set up
            driver_info=None,  # and so does telling the client's name
            retry=Retry(NoBackoff(), 0),  # a script that may have run must not run again
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
        )
        self._waiting: list[tuple[Sequence[Charge], asyncio.Future[Reservation]]] = []
        self._owed: dict[tuple[str, int, int], int] = defaultdict(int)
        self._reachable = True
        self._sender: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def reserve(self, charges: Sequence[Charge]) -> Reservation:
        """Count all charges, or none. Raises what went wrong with Redis; a caller that is cancelled leaves no trace."""
        reservation: asyncio.Future[Reservation] = asyncio.get_running_loop().create_future()
        self._waiting.append((charges, reservation))
        self._wake()
        return await reservation

    def adjust(self, adjustments: Iterable[Adjustment]) -> None:
        """Correct counts in the background: with the next pipeline that works, however long that takes."""
        for key, start, seconds, amount in adjustments:
            self._owed[key, start, seconds] += amount
        self._wake_later()

    async def close(self) -> None:
        """Deliver what is owed, if that can be done within CLOSE_SECONDS, and disconnect."""
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                while self._owed and self._reachable:
                    await asyncio.wait([self._wake()])
        if self._sender is not None:
            self._sender.cancel()
            await asyncio.wait([self._sender])
        if self._timer is not None:
            self._timer.cancel()
        await self._redis.aclose()

    def _wake(self) -> "asyncio.Task[None]":
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._send())
        return self._sender

    def _wake_later(self) -> None:
        """See to it that what is owed goes soon, unless Redis cannot be reached; then the next reservation tries."""
        if self._owed and self._reachable and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(ADJUST_SECONDS, self._wake_now)

    def _wake_now(self) -> None:
        self._timer = None
        self._wake()

    async def _send(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        await self._send_pipeline()
        while self._waiting:
            await self._send_pipeline()
        self._wake_later()

    async def _send_pipeline(self) -> None:
        waiting = [(charges, answer) for charges, answer in self._waiting if not answer.done()]
        self._waiting = []
        # After a failure it is a reservation's turn first: whatever is owed would be in doubt if that fails too.
        adjustments = self._take_owed() if self._reachable else []
        commands = [*map(_adjust, adjustments), *(_reserve(charges) for charges, _ in waiting)]
        try:
            async with asyncio.timeout(self._timeout):
                results = await self._execute(commands)
        except Exception as error:  # noqa: BLE001  it is the callers' who wait
            self._reachable = False
            self.adjust(adjustments)
            self._forget_ended()
            for _, answer in waiting:
                if not answer.done():
                    answer.set_exception(error)
        else:
            self._reachable = True
            for (charges, answer), result in zip(waiting, results[len(adjustments) :], strict=True):
                self._resolve(charges, answer, result)

    def _resolve(self, charges: Sequence[Charge], answer: "asyncio.Future[Reservation]", result: Any) -> None:
        if isinstance(result, Exception):
            if not answer.done():
                answer.set_exception(result)
            return
        reservation = _reservation(result)
        if not answer.done():
            answer.set_result(reservation)
        elif reservation.status is Status.ADMITTED:
            # Too late: its caller has gone, or was counted elsewhere.
            self.adjust(
                Adjustment(charge.key, count.start, charge.seconds, -charge.amount)
                for charge, count in zip(charges, reservation.counts, strict=True)
            )

    def _take_owed(self) -> list[Adjustment]:
        self._forget_ended()
        owed = [Adjustment(*window, amount) for window, amount in self._owed.items() if amount]
        self._owed.clear()
        return owed

    def _forget_ended(self) -> None:
        """Owe nothing to windows that have ended: while Redis is away, they would pile up."""
        now = time.time()
        for window in [window for window in self._owed if window[1] + window[2] <= now]:
            del self._owed[window]

    async def _execute(self, commands: Sequence[Command]) -> list[Any]:
        """The results or errors of commands. A server that has just started does not know the scripts yet."""
        if not commands:
            return []
        results = await self._pipeline(commands)
        unknown = [i for i, result in enumerate(results) if isinstance(result, NoScriptError)]
        if unknown:
            loading = [("SCRIPT LOAD", _RESERVE), ("SCRIPT LOAD", _ADJUST)]
            again = await self._pipeline([*loading, *(commands[i] for i in unknown)])
            for i, result in zip(unknown, again[len(loading) :], strict=True):
                results[i] = result
        return results

    async def _pipeline(self, commands: Sequence[Command]) -> list[Any]:
        async with self._redis.pipeline(transaction=False) as pipeline:
            for command in commands:
                pipeline.execute_command(*command)
            results: list[Any] = await pipeline.execute(raise_on_error=False)
            return results


def _reserve(charges: Sequence[Charge]) -> Command:
    keys = [charge.key for charge in charges]
    arguments = [
        value
        for _, limit, seconds, amount, need, base in charges
        for value in (limit, seconds, amount, need, "" if base is None else base)
    ]
    return ("EVALSHA", _RESERVE_SHA, len(keys), *keys, *arguments)


def _adjust(adjustment: Adjustment) -> Command:
    return ("EVALSHA", _ADJUST_SHA, 1, adjustment.key, adjustment.start, adjustment.amount)


def _reservation(result: Sequence[int]) -> Reservation:
    status, microseconds, *numbers = result
    counts = [Count(used, start) for used, start in zip(numbers[::2], numbers[1::2], strict=True)]
    return Reservation(Status(status), microseconds / 1e6, counts)
