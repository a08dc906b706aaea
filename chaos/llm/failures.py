"""Failures on call, for demonstrations: the next calls fail, whoever makes them, then all is as scripted again.

    PUT /script/failures {"count": 2, "seconds": 60}    the next 2 calls fail, if they come within 60 s
    GET /script/failures                                {"count": 2, "left": 1, "seconds_left": 41.5}, or 404
    DELETE /script/failures                             no more of them; 204 whether there were any or not

What was ordered last counts. An order outlives neither its time nor the process, so nobody has to take it back.
"""

import time
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from chaos.http_server import HttpRequest
from chaos.llm.steps import Status, Step

PATH = "/script/failures"
FAILURE = Status(503)


class Order(BaseModel):
    """How many calls are to fail, and within how many seconds."""

    model_config = ConfigDict(extra="forbid")

    count: int = Field(ge=1)
    seconds: float = Field(gt=0, allow_inf_nan=False)


class Failures:
    """The failures that are ordered, and how many of them are left."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._order: Order | None = None
        self._left = 0
        self._until = 0.0

    def advance(self) -> Step | None:
        """Return what the next call meets instead of its script, None where it meets that."""
        if not self._left or self._clock() >= self._until:
            return None
        self._left -= 1
        return FAILURE

    def serve(self, request: HttpRequest) -> tuple[int, Any]:
        """Answer a request for `PATH`: its status, and its body as what JSON can hold."""
        if request.method == "PUT":
            return self._put(request.body)
        if request.method == "DELETE":
            self._order = None
            self._left = 0
            return 204, None
        return self._get() if request.method == "GET" else (405, {"detail": "GET, PUT or DELETE"})

    def _put(self, body: bytes) -> tuple[int, Any]:
        try:
            self._order = Order.model_validate_json(body)
        except ValidationError as error:
            return 400, {
                "detail": error.errors(include_url=False, include_input=False, include_context=False)
            }
        self._left = self._order.count
        self._until = self._clock() + self._order.seconds
        return self._get()

    def _get(self) -> tuple[int, Any]:
        seconds = self._until - self._clock()
        if self._order is None or seconds <= 0:
            return 404, {"detail": "no failures are ordered"}
        return 200, {"count": self._order.count, "left": self._left, "seconds_left": round(seconds, 1)}
