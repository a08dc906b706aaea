"""What is known at the end of each answer, for those who count: metrics, traces, usage and limits."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import structlog

from api.services.callers import Caller
from api.services.errors import ClientDisconnectedError, ServiceError
from api.utils.request_id import current_request_id

log = structlog.get_logger("api.answered")

OK = "ok"


@dataclass(slots=True)
class Answered:
    """One request for the model, however it ended: answered whole or as a stream, from the cache, failed or abandoned.

    `status` is "ok" or the slug of the failure. `latency` is in seconds, to the end of the answer; `cost` in US dollars.
    A stream that ended before the backend had reported its tokens has them `estimated`. `fields` is the request as it
    was made, and `response` the text of the answer, where it has one.
    """

    request_id: str
    caller: Caller
    model: str
    fields: Mapping[str, Any]
    began_ns: int
    streamed: bool = False
    cached: bool = False
    estimated: bool = False
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0
    response: str | None = None
    status: str = OK
    latency: float = 0.0


Observer = Callable[[Answered], None]
"""Told of each answer once, at its end. It never waits; what it raises is logged, and changes no answer."""


def _slug(error: BaseException) -> str:
    if isinstance(error, ServiceError):
        return error.slug
    abandoned = isinstance(error, asyncio.CancelledError | GeneratorExit)
    return ClientDisconnectedError.slug if abandoned else ServiceError.slug


class Observers:
    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = observers

    @contextmanager
    def answering(
        self, fields: Mapping[str, Any], *, caller: Caller, streamed: bool = False
    ) -> Iterator[Answered]:
        """Give the facts to be filled in while a request is answered; every observer has them when the context ends."""
        began = time.perf_counter()
        answered = Answered(
            request_id=current_request_id(),
            caller=caller,
            model=fields["model"],
            fields=fields,
            began_ns=time.time_ns(),
            streamed=streamed,
        )
        try:
            yield answered
        except BaseException as error:
            if answered.status == OK:
                answered.status = _slug(error)
            raise
        finally:
            answered.latency = time.perf_counter() - began
            for observer in self._observers:
                self._tell(observer, answered)

    @staticmethod
    def _tell(observer: Observer, answered: Answered) -> None:
        try:
            observer(answered)
        except Exception:
            log.exception("an answer was not counted", observer=repr(observer))
