"""Chat completions as bytes: what OpenAI's API and LiteLLM put on the wire, whole and in chunks.

The formats are those of https://platform.openai.com/docs/api-reference/chat.
"""

import json
import time
from dataclasses import dataclass
from typing import Any

DONE = b"data: [DONE]\n\n"


@dataclass(frozen=True, slots=True)
class Chat:
    """What one chat call asks for, with the key that it is about."""

    key: str | None
    model: str
    prompt: str
    stream: bool
    include_usage: bool

    @classmethod
    def parse(cls, body: Any, *, key: str | None) -> "Chat":
        """Read a request's JSON body; what is missing or odd in it is taken for its default."""
        fields = body if isinstance(body, dict) else {}
        messages = fields.get("messages")
        options = fields.get("stream_options")
        return cls(
            key=key,
            model=_encodable(str(fields.get("model") or "")),
            prompt=_encodable(json.dumps(messages, ensure_ascii=False)),
            stream=fields.get("stream") is True,
            include_usage=isinstance(options, dict) and options.get("include_usage") is True,
        )


@dataclass(frozen=True, slots=True)
class Completion:
    """An answer to a chat call: what it says, under the number of its call, and the tokens that it reports."""

    chat: Chat
    call: int
    content: str
    input_tokens: int
    output_tokens: int


def whole(answer: Completion) -> bytes:
    """Return a whole answer that is not streamed."""
    message = {"role": "assistant", "content": answer.content}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return as_json({**envelope(answer, "chat.completion"), "choices": [choice], "usage": _usage(answer)})


def chunks(answer: Completion) -> list[bytes]:
    """Return a whole streamed answer, one server-sent event for each word, without the closing `[DONE]`."""
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": piece} for piece in _words(answer.content)]
    events = [chunk(answer, [{"index": 0, "delta": delta, "finish_reason": None}]) for delta in deltas]
    events.append(chunk(answer, [{"index": 0, "delta": {}, "finish_reason": "stop"}]))
    if answer.chat.include_usage:
        events.append(chunk(answer, [], usage=_usage(answer)))
    return events


def chunk(answer: Completion, choices: list[dict[str, Any]], **fields: Any) -> bytes:
    """Return one server-sent event of a streamed answer."""
    return event({**envelope(answer, "chat.completion.chunk"), "choices": choices, **fields})


def event(data: Any) -> bytes:
    """Return `data` as a server-sent event."""
    return b"data: " + as_json(data) + b"\n\n"


def envelope(answer: Completion, kind: str) -> dict[str, Any]:
    """Return the fields that every answer has, of `kind` `chat.completion` or `chat.completion.chunk`."""
    return {
        "id": f"chatcmpl-{answer.call:08d}",
        "object": kind,
        "created": int(time.time()),
        "model": answer.chat.model,
        "system_fingerprint": None,
    }


def as_json(data: Any) -> bytes:
    return json.dumps(data, ensure_ascii=False).encode()


def tokens(text: str) -> int:
    """About how many tokens a model would count in `text`: four characters each."""
    return max(1, len(text) // 4)


def _usage(answer: Completion) -> dict[str, int]:
    return {
        "prompt_tokens": answer.input_tokens,
        "completion_tokens": answer.output_tokens,
        "total_tokens": answer.input_tokens + answer.output_tokens,
    }


def _words(content: str) -> list[str]:
    first, *rest = content.split(" ")
    return [first, *(f" {word}" for word in rest)]


def _encodable(text: str) -> str:
    """Return `text` with a question mark for every lone surrogate, which JSON can hold and UTF-8 cannot."""
    return text.encode(errors="replace").decode()
