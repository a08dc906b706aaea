"""The SDKs, answered by a function instead of a network."""

import json
from collections.abc import Callable
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from src.models.requests import Message
from src.models.responses import Usage
from src.services.anthropic_provider import AnthropicProvider
from src.services.errors import (
    AccessRefusedError,
    ProviderError,
    ProviderFailedError,
    ProviderTimeoutError,
    ProviderUnreachableError,
    RateLimitedError,
    RequestRefusedError,
)
from src.services.openai_provider import OpenAIProvider
from src.services.providers import Completion, Prompt, Provider, StreamEnd
from tests.fakes import prompt

Handler = Callable[[httpx2.Request], httpx2.Response]
KEY = "sk-quoted-in-errors"
USAGE = Usage(input_tokens=12, output_tokens=30, total_tokens=42)


def openai_provider(handler: Handler) -> Provider:
    http_client = httpx2.AsyncClient(transport=httpx2.MockTransport(handler))
    return OpenAIProvider(openai.AsyncOpenAI(api_key=KEY, max_retries=0, http_client=http_client))


def anthropic_provider(handler: Handler) -> Provider:
    http_client = httpx2.AsyncClient(transport=httpx2.MockTransport(handler))
    return AnthropicProvider(anthropic.AsyncAnthropic(api_key=KEY, max_retries=0, http_client=http_client))


BOTH = pytest.mark.parametrize("make", [openai_provider, anthropic_provider])


def answering(status: int, body: object, **headers: str) -> Handler:
    return lambda _request: httpx2.Response(status, json=body, headers=headers)


def streaming(*events: str) -> Handler:
    text = "".join(f"{event}\n\n" for event in events)
    return lambda _request: httpx2.Response(200, text=text, headers={"content-type": "text/event-stream"})


def chunk(delta: dict[str, str], finish_reason: str | None = None, **fields: Any) -> str:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return "data: " + json.dumps({"id": "1", "model": "gpt-4o", "choices": [choice], **fields})


def event(kind: str, **fields: Any) -> str:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}"


OPENAI_ANSWER = {
    "id": "1",
    "object": "chat.completion",
    "model": "gpt-4o-2024-08-06",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 12, "completion_tokens": 30, "total_tokens": 42},
}
ANTHROPIC_ANSWER = {
    "id": "1",
    "type": "message",
    "role": "assistant",
    "model": "claude-3-opus",
    "content": [{"type": "text", "text": "Hi."}],
    "usage": {"input_tokens": 12, "output_tokens": 30},
}


async def test_openai_is_asked_what_the_caller_asked() -> None:
    bodies: list[Any] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        bodies.append(json.loads(request.content))
        return httpx2.Response(200, json=OPENAI_ANSWER)

    completion = await openai_provider(answer).complete(prompt("gpt-4o", temperature=1.5))

    assert completion == Completion("Hi.", "gpt-4o-2024-08-06", USAGE)
    assert bodies == [
        {
            "messages": [{"role": "user", "content": "Hello"}],
            "model": "gpt-4o",
            "temperature": 1.5,
            "max_tokens": 100,
        }
    ]


async def test_anthropic_takes_system_messages_apart_and_a_temperature_up_to_1() -> None:
    bodies: list[Any] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        bodies.append(json.loads(request.content))
        return httpx2.Response(200, json=ANTHROPIC_ANSWER)

    asked = Prompt(
        (Message(role="system", content="Be brief."), Message(role="user", content="Hello")),
        "claude-3-opus",
        temperature=1.5,
        max_tokens=100,
    )
    completion = await anthropic_provider(answer).complete(asked)

    assert completion == Completion("Hi.", "claude-3-opus", USAGE)
    assert bodies == [
        {
            "messages": [{"role": "user", "content": "Hello"}],
            "system": "Be brief.",
            "model": "claude-3-opus",
            "temperature": 1.0,
            "max_tokens": 100,
        }
    ]


@BOTH
@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, RequestRefusedError),
        (401, AccessRefusedError),
        (403, AccessRefusedError),
        (404, AccessRefusedError),
        (429, RateLimitedError),
        (500, ProviderFailedError),
        (503, ProviderFailedError),
        (529, ProviderFailedError),
    ],
)
async def test_statuses_are_told_apart(
    make: Callable[[Handler], Provider], status: int, expected: type[ProviderError]
) -> None:
    with pytest.raises(expected) as error:
        await make(answering(status, {"error": {"message": f"wrong key {KEY}"}})).complete(prompt())

    assert KEY not in str(error.value)


@BOTH
@pytest.mark.parametrize(
    ("header", "expected"), [("2", 2.0), ("0.5", 0.5), ("soon", None), ("9" * 400, None)]
)
async def test_retry_after_is_read(
    make: Callable[[Handler], Provider], header: str, expected: float | None
) -> None:
    with pytest.raises(RateLimitedError) as error:
        await make(answering(429, {}, **{"retry-after": header})).complete(prompt())

    assert error.value.retry_after == expected


@BOTH
@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (httpx2.ConnectError("refused"), ProviderUnreachableError),
        (httpx2.RemoteProtocolError("broken"), ProviderUnreachableError),
        (httpx2.ReadTimeout("late"), ProviderTimeoutError),
    ],
)
async def test_connections_that_fail_are_told_apart(
    make: Callable[[Handler], Provider], raised: Exception, expected: type[ProviderError]
) -> None:
    def fail(_request: httpx2.Request) -> httpx2.Response:
        raise raised

    provider = make(fail)

    with pytest.raises(expected) as error:
        await provider.complete(prompt())
    with pytest.raises(expected):
        await provider.check()
    assert error.value.__suppress_context__


@BOTH
@pytest.mark.parametrize("body", [{}, {"choices": []}, {"content": []}, {"choices": [{}]}, [], "text", None])
async def test_what_is_no_completion_is_a_failure(make: Callable[[Handler], Provider], body: object) -> None:
    with pytest.raises(ProviderFailedError) as error:
        await make(answering(200, body)).complete(prompt())

    assert error.value.retry_after is None


@BOTH
async def test_a_page_is_no_completion(make: Callable[[Handler], Provider]) -> None:
    def page(_request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, html="<h1>It works!</h1>")

    with pytest.raises(ProviderFailedError) as error:
        await make(page).complete(prompt())

    assert str(error.value) == ""


async def test_openai_streams() -> None:
    usage = {"prompt_tokens": 12, "completion_tokens": 30, "total_tokens": 42}
    handler = streaming(
        chunk({"role": "assistant", "content": ""}),
        chunk({"content": "Hel"}),
        chunk({"content": "lo."}),
        chunk({}, "stop"),
        "data: " + json.dumps({"id": "1", "model": "gpt-4o", "choices": [], "usage": usage}),
        "data: [DONE]",
    )

    pieces = [piece async for piece in openai_provider(handler).stream(prompt("gpt-4o"))]

    assert pieces == ["Hel", "lo.", StreamEnd("gpt-4o", USAGE)]


async def test_anthropic_streams() -> None:
    start = {"id": "1", "model": "claude-3-opus", "usage": {"input_tokens": 12, "output_tokens": 1}}
    handler = streaming(
        event("message_start", message=start),
        event("content_block_delta", index=0, delta={"type": "text_delta", "text": "Hel"}),
        event("content_block_delta", index=0, delta={"type": "text_delta", "text": "lo."}),
        event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 30}),
        event("message_stop"),
    )

    pieces = [piece async for piece in anthropic_provider(handler).stream(prompt("claude-3-opus"))]

    assert pieces == ["Hel", "lo.", StreamEnd("claude-3-opus", USAGE)]


@pytest.mark.parametrize(
    ("make", "events"),
    [
        (openai_provider, [chunk({"content": "Hel"})]),
        (openai_provider, [chunk({"content": "Hel"}), 'data: {"error": {"message": "overloaded"}}']),
        (openai_provider, [chunk({"content": "Hel"}), 'data: {"choices"']),
        (
            anthropic_provider,
            [event("content_block_delta", index=0, delta={"type": "text_delta", "text": "Hel"})],
        ),
        (
            anthropic_provider,
            [
                event("content_block_delta", index=0, delta={"type": "text_delta", "text": "Hel"}),
                event("error", error={"type": "overloaded_error", "message": "overloaded"}),
            ],
        ),
    ],
)
async def test_a_stream_that_breaks_off_is_a_failure(
    make: Callable[[Handler], Provider], events: list[str]
) -> None:
    pieces = make(streaming(*events)).stream(prompt())

    assert await anext(pieces) == "Hel"
    with pytest.raises(ProviderFailedError):
        await anext(pieces)
