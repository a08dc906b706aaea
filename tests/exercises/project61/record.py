"""Histories of Project 6.1's service, written by hand."""

import itertools
import json
from pathlib import Path
from typing import Any, Self

from chaos.contract import Contract
from chaos.history import Answer, Began, Call, Event, Failure, History, Reply, Request

CONTRACT = Contract.load(Path(__file__).parents[3] / "exercises/project61/contract.toml")
USAGE = (30, 12)


class Record:
    """A history in the making; `now` is the time of the next event, in seconds."""

    def __init__(self) -> None:
        self.now = 0.0
        self._numbers = itertools.count(1)
        self._calls = itertools.count(1)
        self._events: list[Event] = [Began(experiment="x", seed=7, contract=CONTRACT)]

    @property
    def history(self) -> History:
        return History(self._events)

    def add(self, event: Event) -> Self:
        self._events.append(event.model_copy(update={"t": self.now}))
        return self

    def asked(
        self,
        label: str,
        status: int | None = 200,
        *,
        body: Any = "",
        headers: dict[str, str] | None = None,
        key: str | None = None,
        calls: tuple[float, ...] = (),
        after: float = 0.01,
        path: str = "/v1/chat/completions",
        usage: tuple[int, int] | None = None,
        model: str | None = None,
    ) -> Self:
        """Record a request that is answered `after` seconds; without a status it waits in vain.

        `calls` are the calls of the backend, in seconds from the request's beginning, for `model`; the last one reports
        `usage`.
        """
        number = next(self._numbers)
        begun = self.now
        self.add(Request(request=number, label=label, method="POST", path=path, key=key))
        for count, at in enumerate(calls, start=1):
            self.now = begun + at
            call = next(self._calls)
            called = Call(call=call, upstream="backend", method="POST", path=path, connection=1, key=key)
            self.add(called.model_copy(update={"model": model}))
            told = usage if count == len(calls) else None
            self.add(Reply(call=call, outcome="answered", status=200, usage=told))
        self.now = begun + after
        text = body if isinstance(body, str) else json.dumps(body)
        if status is None:
            return self.add(Failure(request=number, error="timeout", elapsed=after))
        return self.add(
            Answer(request=number, status=status, headers=headers or {}, body=text, elapsed=after)
        )


def used(tokens: int, requests: int = 1) -> dict[str, Any]:
    """Return a usage report."""
    return {"total": {"requests": requests, "prompt_tokens": tokens, "completion_tokens": 0, "cost": 0.1}}
