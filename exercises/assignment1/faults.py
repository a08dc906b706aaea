"""Puts a small fault into the service under test, in the process that runs its tests.

It is loaded by `chaos/own_tests/own_tests_runner.py` in the submission's environment, and changes what an application answers by
ASGI, whatever framework it is of.
"""

import contextlib
import importlib
import json
from typing import Any

FAULTS = ("accepts-anything", "other-content", "wrong-usage", "no-request-id", "no-request-limit")
_SLOW_IMPORTS = ("anthropic", "fastapi", "openai", "pydantic_settings", "starlette.testclient")
_APPLICATIONS = (("starlette.applications", "Starlette"), ("litestar.app", "Litestar"), ("quart", "Quart"))
_SEEN = "service-fault"
CHAT = "/api/v1/chat/completions"


def prepare() -> None:
    """Import what takes long, where it is there."""
    for name in (*_SLOW_IMPORTS, *(module for module, _ in _APPLICATIONS)):
        with contextlib.suppress(Exception):
            importlib.import_module(name)


def put(fault: str) -> None:
    """Put the fault into every application that is made from now on."""
    for module, name in _APPLICATIONS:
        try:
            application = getattr(importlib.import_module(module), name)
        except ImportError:
            continue
        application.__call__ = _broken(application.__call__, fault)


def _broken(serve: Any, fault: str) -> Any:
    async def call(self: Any, scope: Any, receive: Any, send: Any) -> None:
        # An application inside another one would be broken twice.
        if scope.get("type") != "http" or _SEEN in scope:
            await serve(self, scope, receive, send)
            return
        scope[_SEEN] = True
        answer = _Answer(fault, scope.get("path", ""), send)
        await serve(self, scope, receive, answer.take)

    return call


class _Answer:
    """Changes one answer by the fault, and sends it on."""

    def __init__(self, fault: str, path: str, send: Any) -> None:
        self.fault = fault
        self.chat = path == CHAT
        self.send = send
        self.start: Any = None
        self.body = b""

    async def take(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.start = dict(message)
            if self.streams:
                await self.send(self.start)
            return
        if message["type"] != "http.response.body" or self.streams:
            await self.send(message)
            return
        self.body += message.get("body", b"")
        if not message.get("more_body"):
            self.change()
            length = (b"content-length", str(len(self.body)).encode())
            kept = [header for header in self.start["headers"] if header[0].lower() != b"content-length"]
            await self.send({**self.start, "headers": [*kept, length]})
            await self.send({"type": "http.response.body", "body": self.body})

    @property
    def streams(self) -> bool:
        """Whether the answer is a stream, which is passed on as it is."""
        return any(
            name.lower() == b"content-type" and value.startswith(b"text/event-stream")
            for name, value in self.start["headers"]
        )

    def change(self) -> None:
        status = self.start["status"]
        if self.fault == "no-request-id":
            self.start["headers"] = [
                one for one in self.start["headers"] if one[0].lower() != b"x-request-id"
            ]
        elif (self.fault == "accepts-anything" and self.chat and status == 422) or (
            self.fault == "no-request-limit" and self.chat and status == 429
        ):
            self.start["status"] = 200
        elif self.chat and status == 200:
            self.change_completion()

    def change_completion(self) -> None:
        try:
            answer = json.loads(self.body)
        except ValueError:
            return
        if self.fault == "other-content" and isinstance(answer.get("content"), str):
            answer["content"] = answer["content"][::-1] + "."
        usage = answer.get("usage")
        if self.fault == "wrong-usage" and isinstance(usage, dict):
            answer["usage"] = {
                name: value + 1 if isinstance(value, int) else value for name, value in usage.items()
            }
        self.body = json.dumps(answer).encode()
