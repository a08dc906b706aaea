"""Tells histories as an experiment would have recorded them, on a clock that the test sets."""

import itertools
import json
from typing import Any

from chaos.history import (
    Answer,
    Began,
    Call,
    Ended,
    Event,
    Exited,
    Failure,
    History,
    Launched,
    Log,
    Phase,
    Ready,
    Reply,
    Request,
    Stall,
)
from chaos.keys import Keys, expected_answer
from chaos.recorder import Recorder
from tests.exam import CONTRACT


def held_up(history: History, end: float, seconds: float) -> History:
    """Return a history in which the lab stood still for so many `seconds` until `end`."""
    stall = Stall(t=end, seconds=seconds)
    return History(sorted([*history.events, stall], key=lambda event: event.t))


class Story:
    """A history in the making. `now` is the time of the next event, in seconds."""

    def __init__(self, experiment: str = "story", *, started: bool = True) -> None:
        self.now = 0.0
        self._recorder = Recorder(clock=lambda: self.now)
        self._requests = itertools.count(1)
        self._calls = itertools.count(1)
        self._keys = Keys(7, experiment)
        self.add(Began(experiment=experiment, seed=7, contract=CONTRACT))
        self.add(Launched(command="uvicorn api.main:app", cwd="/srv"))
        if started:
            self._control()

    def add(self, event: Event) -> Event:
        return self._recorder.record(event)

    def log(self, text: str) -> None:
        self.add(Log(stream="stdout", text=text))

    def crash(self, code: int, *lines: str) -> None:
        for line in lines:
            self.log(line)
        self.add(Exited(code=code))

    def ask(
        self,
        label: str,
        *,
        path: str = "/llm/generate",
        method: str = "POST",
        headers: dict[str, str] | None = None,
    ) -> Request:
        """Record a request that is sent now."""
        key = next(self._keys) if path == "/llm/generate" else None
        request = Request(
            request=next(self._requests),
            label=label,
            method=method,
            path=path,
            key=key,
            headers=headers or {},
        )
        self.add(request)
        return request

    def call(self, request: Request, *, lasting: float = 0.0, status: int | None = 200) -> None:
        """Record a model call for a request, which ends after `lasting` seconds; without a status it never ends."""
        call = Call(
            call=next(self._calls),
            upstream="litellm",
            method="POST",
            path="/v1/chat/completions",
            connection=1,
            key=request.key,
        )
        self.add(call)
        self.now += lasting
        if status is not None:
            self.add(Reply(call=call.call, outcome="answered", status=status))

    def answer(
        self,
        request: Request,
        status: int = 200,
        *,
        after: float = 0.01,
        body: Any = None,
        headers: dict[str, str] | None = None,
        started: float | None = None,
    ) -> None:
        """Record an answer `after` seconds from now; its elapsed time counts from `started`, else from now."""
        begun = self.now if started is None else started
        self.now += after
        if body is None:
            body = (
                {"response": expected_answer(request.key)}
                if request.key and status == 200
                else {"detail": "no"}
            )
        text = body if isinstance(body, str) else json.dumps(body)
        self.add(
            Answer(
                request=request.request,
                status=status,
                headers=headers or {},
                body=text,
                elapsed=round(self.now - begun, 6),
            )
        )

    def fail(self, request: Request, error: Any = "timeout", *, after: float = 36.0) -> None:
        """Record that a request got no answer."""
        self.now += after
        self.add(Failure(request=request.request, error=error, elapsed=after))

    def serve(self, label: str) -> None:
        """Record a request that the model answers."""
        request = self.ask(label)
        self.call(request)
        self.answer(request)

    def reject(
        self, label: str, status: int = 503, *, retry_after: str | None = "10", after: float = 0.01
    ) -> None:
        """Record a request that is answered without a call to the model."""
        headers = {"retry-after": retry_after} if retry_after is not None else {}
        self.answer(self.ask(label), status, after=after, headers=headers)

    def end(self) -> History:
        """Return the history of an experiment that ran to its end."""
        self.add(Ended())
        return self._recorder.history()

    def _control(self) -> None:
        self.now = 1.5
        self.add(Ready())
        self.add(Phase(name="control"))
        login = self.ask("login", path="/auth/login")
        self.answer(login, body={"access_token": "t", "token_type": "bearer"})
        self.serve("control")
        self.add(Phase(name="fault"))
