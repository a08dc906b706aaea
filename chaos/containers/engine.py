"""A client for the few calls of the Docker Engine API that the lab makes: https://docs.docker.com/reference/api/engine/.

The engine has to be on this machine, for the lab's sockets are handed over by one of its containers.
"""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, Self

import httpx

SOCKET: Final = "/var/run/docker.sock"
CALL_SECONDS: Final = 60.0
"""Long for a call; an engine on a busy machine takes seconds to start a container."""
_FRAME_HEAD: Final = 8
_PREFIX: Final = "unix://"


class EngineError(Exception):
    """The engine refused a call, with an HTTP status, or cannot be reached, with none."""

    def __init__(self, message: str, status: int | None = None) -> None:
        self.status = status
        super().__init__(message)


class Engine:
    """The Docker engine of this machine, as an async context manager.

    Every call raises EngineError where the engine refuses or cannot be reached.
    """

    def __init__(self, socket: str | None = None) -> None:
        """Use the engine at `socket`, by default where DOCKER_HOST says. Raises EngineError for one elsewhere."""
        self._http = httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(uds=socket or _socket()),
            base_url="http://docker",
            timeout=CALL_SECONDS,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = CALL_SECONDS,
        **parameters: str,
    ) -> Any:
        """Make a call and return what it answers, decoded; `timeout` in seconds, None for as long as it takes."""
        try:
            answer = await self._http.request(
                method, path, json=body, params=parameters or None, timeout=timeout
            )
        except httpx.HTTPError as error:
            raise EngineError(
                f"the Docker engine does not answer: {error or type(error).__name__}"
            ) from error
        if answer.is_error:
            raise EngineError(_message(answer), answer.status_code)
        return (
            answer.json() if answer.headers.get("content-type", "").startswith("application/json") else None
        )

    @asynccontextmanager
    async def frames(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, **parameters: str
    ) -> AsyncIterator[AsyncIterator[tuple[int, bytes]]]:
        """Make a call that answers with a multiplexed stream; yields pieces of stdout (1) and stderr (2)."""
        async with self._http.stream(method, path, json=body, params=parameters, timeout=None) as answer:
            if answer.is_error:
                await answer.aread()
                raise EngineError(_message(answer), answer.status_code)
            yield _frames(answer.aiter_raw())


async def _frames(raw: AsyncIterator[bytes]) -> AsyncIterator[tuple[int, bytes]]:
    buffer = bytearray()
    async for data in raw:
        buffer += data
        while len(buffer) >= _FRAME_HEAD:
            end = _FRAME_HEAD + int.from_bytes(buffer[4:_FRAME_HEAD])
            if len(buffer) < end:
                break
            yield buffer[0], bytes(buffer[_FRAME_HEAD:end])
            del buffer[:end]


def _message(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["message"])
    except (ValueError, KeyError, TypeError):
        return f"the Docker engine answered {answer.status_code}"


def _socket() -> str:
    host = os.environ.get("DOCKER_HOST") or f"{_PREFIX}{SOCKET}"
    if not host.startswith(_PREFIX):
        raise EngineError(f"DOCKER_HOST is {host}; the engine has to be on this machine")
    return host.removeprefix(_PREFIX)
