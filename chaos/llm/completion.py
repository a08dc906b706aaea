"""Chat completions as bytes: what OpenAI's API and LiteLLM put on the wire, whole and in chunks.

The formats are those of https://platform.openai.com/docs/api-reference/chat.
"""

import json
import time
from dataclasses import dataclass
from typing import Any

DONE = b"data: [DONE]\n\n"

_TOKENS_PER_MESSAGE = 4


@dataclass(frozen=True, slots=True)
class Chat:
    """What one chat call asks for, and under which number and key."""

    call: int
    key: str | None
    model: str
    prompt: str
    stream: bool
    include_usage: bool

    @classmethod
    def parse(cls, body: Any, *, call: int, key: str | None) -> "Chat":
        """Read a request's JSON body; what is missing or odd in it is taken for its default."""
        fields = body if isinstance(body, dict) else {}
        messages = fields.get("messages")
        options = fields.get("stream_options")
        return cls(
            call=call,
            key=key,
            model=str(fields.get("model", "")),
            prompt=json.dumps(messages, ensure_ascii=False),
            stream=fields.get("stream") is True,
            include_usage=isinstance(options, dict) and options.get("include_usage") is True,
        )


def completion(chat: Chat, content: str) -> bytes:
    """Return a whole answer that is not streamed."""
    choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
    return as_json(
        {**_envelope(chat, "chat.completion"), "choices": [choice], "usage": _usage(chat.prompt, content)}
    )


def chunks(chat: Chat, content: str) -> list[bytes]:
    """Return a whole streamed answer, one server-sent event for each word, without the closing `[DONE]`."""
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": piece} for piece in _words(content)]
    events = [chunk(chat, [{"index": 0, "delta": delta, "finish_reason": None}]) for delta in deltas]
    events.append(chunk(chat, [{"index": 0, "delta": {}, "finish_reason": "stop"}]))
    if chat.include_usage:
        events.append(chunk(chat, [], usage=_usage(chat.prompt, content)))
    return events


def chunk(chat: Chat, choices: list[dict[str, Any]], **fields: Any) -> bytes:
    """Return one server-sent event of a streamed answer."""
    return event({**_envelope(chat, "chat.completion.chunk"), "choices": choices, **fields})


def event(data: Any) -> bytes:
    """Return `data` as a server-sent event."""
    return b"data: " + as_json(data) + b"\n\n"


def as_json(data: Any) -> bytes:
    return json.dumps(data, ensure_ascii=False).encode()


def tokens(text: str) -> int:
    """About how many tokens a model would count in `text`: four characters each."""
    return max(1, len(text) // 4)


def _envelope(chat: Chat, kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{chat.call:08d}",
        "object": kind,
        "created": int(time.time()),
        "model": chat.model,
        "system_fingerprint": None,
    }


def _usage(prompt: str, content: str) -> dict[str, int]:
    prompt_tokens, completion_tokens = _TOKENS_PER_MESSAGE + tokens(prompt), tokens(content)
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
    }


def _words(content: str) -> list[str]:
    first, *rest = content.split(" ")
    return [first, *(f" {word}" for word in rest)]
