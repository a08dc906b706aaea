"""The official openai client as a caller.

Its requests go out by the lab's own client, so that they are recorded as all others are, come from the lab's addresses and
reach a service in whatever network it is. What the library makes of an answer is recorded as well.

Importing the library takes a second, so that experiments import this module in a thread.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import httpx2
from openai import AsyncOpenAI

from chaos.history import Answer, ClientResult, Failure
from chaos.http_client import Client

NAME = "openai"
PATIENCE_SECONDS = 15.0
MOST_CHARACTERS = 1024 * 1024
"""A longer result is recorded as a ValueError."""

# What a transport adds by itself, or what recorded answers cannot be read with.
_OWN_HEADERS = {"host", "connection", "content-length", "accept-encoding", "authorization", "user-agent"}

Operation = Callable[[AsyncOpenAI], Awaitable[Any]]


class OfficialClient:
    """Calls the service as an application does: by the library's methods, without retries.

    `path` is where OpenAI's API begins at the service, and `token` what it is called with by default.
    """

    def __init__(self, client: Client, *, path: str, token: str) -> None:
        self._client = client
        self._base_url = f"http://service{path}"
        self._token = token

    async def call(
        self, operation: Operation, *, label: str, key: str | None = None, token: str | None = None
    ) -> None:
        """Have the library do something, and record what it returned or raised."""
        transport = _LabTransport(self._client, label=label, key=key)
        client = AsyncOpenAI(
            api_key=token or self._token,
            base_url=self._base_url,
            max_retries=0,
            http_client=httpx2.AsyncClient(transport=transport, trust_env=False),
        )
        returned = raised = ""
        async with client:
            try:
                returned = await _as_json(await operation(client))
            except Exception as error:  # noqa: BLE001  an answer can make a library raise anything
                raised = type(error).__name__
        if transport.number is not None:
            self._client.recorder.record(
                ClientResult(request=transport.number, client=NAME, returned=returned, raised=raised)
            )


class _LabTransport(httpx2.AsyncBaseTransport):
    """Sends a request of the library's by the lab's client. `number` is that of the last one."""

    def __init__(self, client: Client, *, label: str, key: str | None) -> None:
        self.number: int | None = None
        self._client = client
        self._label = label
        self._key = key

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        end = await self._client.request(
            request.method,
            request.url.raw_path.decode("ascii"),
            label=self._label,
            body=await request.aread(),
            headers=_sent(request.headers),
            token=request.headers.get("authorization", "").removeprefix("Bearer "),
            key=self._key,
            timeout=PATIENCE_SECONDS,
        )
        self.number = end.request
        if isinstance(end, Failure):
            raise httpx2.ReadError(end.detail)
        return _response(end, request)


def _sent(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in _OWN_HEADERS}


def _response(answer: Answer, request: httpx2.Request) -> httpx2.Response:
    framing = {"content-length", "transfer-encoding", "content-encoding"}
    headers = {name: value for name, value in answer.headers.items() if name.lower() not in framing}
    return httpx2.Response(answer.status, headers=headers, content=answer.body.encode(), request=request)


async def _as_json(value: Any) -> str:
    """Return what the library returned as JSON; the chunks of a stream as a list."""
    dumped = [_dumped(chunk) async for chunk in value] if _is_stream(value) else _dumped(value)
    text = json.dumps(dumped)
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"the result has more than {MOST_CHARACTERS} characters")
    return text


def _is_stream(value: Any) -> bool:
    return hasattr(value, "__aiter__") and not hasattr(value, "model_dump")


def _dumped(value: Any) -> Any:
    return value.model_dump(mode="json", warnings=False)
