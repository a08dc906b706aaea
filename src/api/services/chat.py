"""Chat completions and embeddings as OpenAI's API has them: the parts that this service reads.

Requests are checked as far as this service rests on them, and answers as far as a caller does; everything else is the
backend's, and is handed on as it is.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any

import orjson

from api.services.errors import InvalidRequestError, LLMMalformedError, LLMServerError, ServiceError
from api.utils.event_stream import event_data

LONGEST_MODEL = 256
_MOST_TOKENS = 10_000_000
_MOST_CHOICES = 1000
_DONE = b"[DONE]"
_END_TIMEOUT = 0.5


@dataclass(frozen=True, slots=True)
class Usage:
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class Completion:
    """A whole answer; `text` is None if the model calls tools instead."""

    usage: Usage
    text: str | None


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of a streamed answer: its bytes as they were sent, and what they say.

    `only_usage` marks the chunk that is there because usage was asked for.
    """

    event: bytes
    text: str
    usage: Usage | None = None
    only_usage: bool = False


def read_request(body: bytes, content: str) -> dict[str, Any]:
    """The request in a body, which must name a model and have something in its field `content`.

    Raises InvalidRequestError.
    """
    try:
        fields = orjson.loads(body)
    except ValueError:
        raise InvalidRequestError("The body must be JSON, in UTF-8 and not nested too deeply.") from None
    if not isinstance(fields, dict):
        raise InvalidRequestError("The body must be a JSON object.")
    model = fields.get("model")
    if not isinstance(model, str) or not 0 < len(model) <= LONGEST_MODEL:
        raise InvalidRequestError("'model' must name a model that GET /v1/models lists.", param="model")
    if not fields.get(content):
        raise InvalidRequestError(f"'{content}' is required and must not be empty.", param=content)
    return fields


def read_chat_request(body: bytes) -> dict[str, Any]:
    """Like `read_request`; the messages and what is said about streaming have their types."""
    fields = read_request(body, "messages")
    messages = fields["messages"]
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        raise InvalidRequestError("'messages' must be a list of objects.", param="messages")
    if not isinstance(fields.get("stream"), bool | None):
        raise InvalidRequestError("'stream' must be true or false.", param="stream")
    options = fields.get("stream_options")
    if not isinstance(options, dict | None):
        raise InvalidRequestError("'stream_options' must be an object.", param="stream_options")
    if options is not None and not fields.get("stream"):
        raise InvalidRequestError("'stream_options' needs 'stream': true.", param="stream_options")
    return fields


def completion_limit(fields: Mapping[str, Any]) -> int | None:
    """How many tokens all choices of an answer may have, or None if the request does not say so."""
    limit = fields.get("max_completion_tokens") or fields.get("max_tokens")
    if not isinstance(limit, int) or not 0 < limit < _MOST_TOKENS:
        return None  # the backend will refuse it
    choices = fields.get("n")
    return limit * (choices if isinstance(choices, int) and 0 < choices < _MOST_CHOICES else 1)


def texts_of(messages: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The texts of messages; images, sounds and calls of tools are left out."""
    for message in messages:
        content = message.get("content")
        parts = content if isinstance(content, list) else [{"text": content}]
        for part in parts:
            if isinstance(part, dict) and isinstance(part.get("text"), str):
                yield part["text"]


def wants_usage(fields: Mapping[str, Any]) -> bool:
    """Whether a streamed request asks for the chunk with its usage."""
    return bool((fields.get("stream_options") or {}).get("include_usage"))


def with_usage(fields: Mapping[str, Any]) -> dict[str, Any]:
    """A streamed request that asks for its usage."""
    return {**fields, "stream_options": {**(fields.get("stream_options") or {}), "include_usage": True}}


def read_completion(body: bytes) -> Completion:
    """Raises LLMMalformedError for what is no completion."""
    fields = _answer(body)
    message = _first_choice(fields).get("message")
    if not isinstance(message, dict):
        raise LLMMalformedError("choices.0.message is missing")
    text = message.get("content")
    return Completion(_usage(fields) or Usage(0, 0), text if isinstance(text, str) else None)


def read_text_completion(body: bytes) -> Completion:
    """Like `read_completion`, for callers that have no use for anything but text."""
    completion = read_completion(body)
    if completion.text is None:
        raise LLMMalformedError("choices.0.message.content is no text")
    return completion


def read_embeddings(body: bytes) -> Completion:
    """Raises LLMMalformedError for what holds no embeddings."""
    fields = _answer(body)
    if not isinstance(fields.get("data"), list) or not fields["data"]:
        raise LLMMalformedError("data is missing")
    return Completion(_usage(fields) or Usage(0, 0), None)


async def read_chunks(events: AsyncGenerator[bytes]) -> AsyncGenerator[Chunk]:
    """The chunks of a streamed completion, `[DONE]` included; the first one has a choice.

    What some backends send before (Azure: what its filters found) is part of the first chunk. Raises LLMMalformedError
    for what is no completion or ends without `[DONE]`, LLMServerError for an error event.
    """
    before = b""
    begun = False
    async with aclosing(events):
        async for event in events:
            data = event_data(event)
            if data == _DONE:
                if not begun:
                    raise LLMMalformedError("a stream without choices")
                yield Chunk(event, "")
                await _read_to_the_end(events)
                return
            fields = _object(data or b"")
            if fields.get("error"):
                raise LLMServerError("an error event in the stream")
            choices, usage = fields.get("choices"), _usage(fields)
            if not isinstance(choices, list):
                raise LLMMalformedError("a chunk without choices")
            begun = begun or bool(choices)
            if not begun:
                before += event
                continue
            yield Chunk(before + event, _delta(fields), usage, only_usage=not choices and usage is not None)
            before = b""
    raise LLMMalformedError("the stream ended without [DONE]")


async def _read_to_the_end(events: AsyncGenerator[bytes]) -> None:
    """Nothing more is to come but the end of the body, after which the connection serves the next call."""
    with suppress(TimeoutError, ServiceError):
        async with asyncio.timeout(_END_TIMEOUT):
            async for _ in events:
                pass


def _answer(body: bytes) -> dict[str, Any]:
    """A whole answer. Some backends answer a failure with success, and callers would be handed its error text."""
    fields = _object(body)
    if fields.get("error"):
        raise LLMMalformedError("an error instead of an answer")
    return fields


def _object(body: bytes) -> dict[str, Any]:
    try:
        fields = orjson.loads(body)
    except ValueError:
        raise LLMMalformedError("no JSON") from None
    if not isinstance(fields, dict):
        raise LLMMalformedError("no JSON object")
    return fields


def _first_choice(fields: dict[str, Any]) -> dict[str, Any]:
    choices = fields.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise LLMMalformedError("choices are missing")
    return choices[0]


def _delta(fields: dict[str, Any]) -> str:
    """The text that a chunk adds to the first choice."""
    match fields["choices"]:
        case [{"delta": {"content": str(text)}}, *_]:
            return text
    return ""


def _usage(fields: dict[str, Any]) -> Usage | None:
    usage = fields.get("usage")
    if usage is None:
        return None
    counts = (
        [usage.get(name, 0) or 0 for name in ("prompt_tokens", "completion_tokens")]
        if isinstance(usage, dict)
        else []
    )
    if not counts or not all(isinstance(count, int) and count >= 0 for count in counts):
        raise LLMMalformedError("usage that counts no tokens")
    return Usage(*counts)
