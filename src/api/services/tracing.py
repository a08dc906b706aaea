"""Traces of what the model was asked and said: sent in the background, and never lost.

    record() ──> pending ──> MLflow
                    │           └─ (down) ──> fallback file, and sent again once MLflow is back
                    └─ (known to be down) ──> fallback file

Recording neither waits nor fails. After a failure MLflow is left alone for a while, and traces go straight to the file,
so that `pending` never holds more than the traffic of one attempt. The file is appended to, and never rewritten: what
was sent again later stands in both places, under the same trace id.
"""

import asyncio
import os
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, time_ns
from types import UnionType
from typing import Any
from uuid import uuid4

import orjson
import structlog
from pydantic import BaseModel, Field, computed_field

from api.services.answered import OK, Answered
from api.services.metrics import TRACES

log = structlog.get_logger("api.tracing")

SEND_TIMEOUT = 2.0
_BATCH = 100
# What comes meanwhile goes with it: a call for each trace would cost as much as the answer did.
_GATHER_SECONDS = 0.1
_REST_AFTER_FAILURE = 10.0
_REMEMBERED = 1000


class Trace(BaseModel):
    """One request to the model, answered or not. `error` is the slug of the failure; times are Unix nanoseconds."""

    trace_id: str = Field(default_factory=lambda: uuid4().hex)
    request_id: str
    user: str
    model: str
    prompt: str
    system_prompt: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    response: str | None = None
    error: str | None = None
    cached: bool = False
    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    cost: float = 0.0
    started_ns: int = Field(default_factory=time_ns)
    ended_ns: int = 0

    @computed_field  # type: ignore[prop-decorator]  # mypy knows no decorated properties
    @property
    def latency(self) -> float:
        """Seconds."""
        return (self.ended_ns - self.started_ns) / 1e9


def trace_answer(tracer: "Tracer", answered: Answered) -> None:
    """Record what was asked in a chat and how it ended; a conversation of several turns as the JSON that it came in."""
    if "messages" not in answered.fields:
        return
    system_prompt, prompt = _texts(answered.fields["messages"])
    trace = Trace(
        request_id=answered.request_id,
        user=answered.caller.user,
        model=answered.model,
        prompt=prompt,
        system_prompt=system_prompt,
        temperature=_typed(answered.fields.get("temperature"), int | float),
        max_tokens=_typed(answered.fields.get("max_tokens"), int),
        response=answered.response,
        error=None if answered.status == OK else answered.status,
        cached=answered.cached,
        prompt_tokens=answered.prompt_tokens,
        completion_tokens=answered.completion_tokens,
        total_tokens=answered.prompt_tokens + answered.completion_tokens,
        cost=answered.cost,
        started_ns=answered.began_ns,
    )
    tracer.record(trace)


def _texts(messages: Sequence[Mapping[str, Any]]) -> tuple[str | None, str]:
    """The system's prompt, if there is one, and the user's."""
    match messages:
        case [{"role": "user", "content": str(prompt)}]:
            return None, prompt
        case [{"role": "system", "content": str(system)}, {"role": "user", "content": str(prompt)}]:
            return system, prompt
    return None, orjson.dumps(messages).decode()


def _typed(value: Any, kind: type | UnionType) -> Any:
    """What a backend refuses in a request must not make its trace fail as well."""
    return value if isinstance(value, kind) else None


class TraceRejectedError(Exception):
    """The server is there, and does not want this trace: sending it again is of no use."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why traces were not delivered, and whether it is worth sending them again."""

    reason: str
    passing: bool


class Tracer:
    """`send` delivers traces, or raises: TraceRejectedError for good, anything else for now. None: nobody wants any."""

    def __init__(
        self,
        send: Callable[[Sequence[Trace]], Awaitable[None]] | None,
        *,
        fallback: Path,
        rest_after_failure: float = _REST_AFTER_FAILURE,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._send = send
        self._fallback = fallback
        self._rest = rest_after_failure
        self._clock = clock
        self._pending: list[Trace] = []
        self._kept: deque[Trace] = deque(maxlen=_REMEMBERED)
        self._resting_until = 0.0
        self._wake = asyncio.Event()
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="tracer")

    def record(self, trace: Trace) -> None:
        if self._send is None:
            return
        trace.ended_ns = trace.ended_ns or time_ns()
        self._pending.append(trace)
        self._wake.set()

    async def close(self) -> None:
        """Deliver what is pending, to MLflow or to the file; takes little more than one attempt to send."""
        self._closing.set()
        self._wake.set()
        if self._task is not None:
            await self._task
            self._task = None

    async def _run(self) -> None:
        while not (self._closing.is_set() and not self._pending):
            await self._wait()
            await self._gather()
            self._wake.clear()
            while self._pending:
                batch, self._pending = self._pending[:_BATCH], self._pending[_BATCH:]
                await self._deliver(batch)
            await self._send_kept()

    async def _wait(self) -> None:
        """Until there is something to do: a trace, the end, or time to try again."""
        patience = self._rest if self._kept else None
        try:
            async with asyncio.timeout(patience):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _gather(self) -> None:
        """Wait for more traces, unless this is the end."""
        try:
            async with asyncio.timeout(_GATHER_SECONDS):
                await self._closing.wait()
        except TimeoutError:
            pass

    async def _deliver(self, batch: list[Trace]) -> None:
        if self._clock() < self._resting_until:
            await self._keep(batch, "mlflow is resting")
            self._kept.extend(batch)
        elif (failure := await self._attempt(batch)) is not None:
            await self._keep(batch, failure.reason)
            if failure.passing:
                self._kept.extend(batch)

    async def _attempt(self, batch: Sequence[Trace]) -> Failure | None:
        """Send; what went wrong, or None."""
        try:
            async with asyncio.timeout(SEND_TIMEOUT):
                assert self._send is not None
                await self._send(batch)
        except TraceRejectedError as error:
            return Failure(str(error), passing=False)
        except Exception as error:  # noqa: BLE001  whatever it is, the traces must not be lost for it
            self._resting_until = self._clock() + self._rest
            return Failure(type(error).__name__, passing=True)
        TRACES.labels("mlflow").inc(len(batch))
        return None

    async def _keep(self, batch: Sequence[Trace], reason: str) -> None:
        try:
            await asyncio.to_thread(_append, self._fallback, [trace.model_dump_json() for trace in batch])
        except OSError as error:
            TRACES.labels("lost").inc(len(batch))
            log.exception(
                "traces lost: neither mlflow nor the fallback file took them", reason=reason, os=str(error)
            )
        else:
            TRACES.labels("file").inc(len(batch))
            log.warning(
                "traces kept in the fallback file", count=len(batch), reason=reason, file=str(self._fallback)
            )

    async def _send_kept(self) -> None:
        while self._kept and not self._closing.is_set() and self._clock() >= self._resting_until:
            batch = [self._kept[i] for i in range(min(_BATCH, len(self._kept)))]
            failure = await self._attempt(batch)
            if failure and failure.passing:
                return
            for _ in batch:
                self._kept.popleft()
            log.info("kept traces sent again", count=len(batch), rejected=failure.reason if failure else None)


def _append(path: Path, lines: Iterable[str]) -> None:
    """Add lines in one write: other processes may append to the same file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = "".join(line + "\n" for line in lines).encode()
    # Prompts are nobody else's to read.
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "wb", buffering=0) as file:
        file.write(data)
