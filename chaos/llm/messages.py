"""Messages: what Anthropic's API puts on the wire, whole and in events.

The formats are those of https://docs.anthropic.com/en/api/messages, its streaming and its errors.
"""

from collections.abc import Mapping
from typing import Any

from chaos.llm.chat import Completion, as_json

_ERRORS = {
    400: ("invalid_request_error", "There was an issue with the format or content of your request."),
    401: ("authentication_error", "invalid x-api-key"),
    403: ("permission_error", "Your API key does not have permission to use the specified resource."),
    404: ("not_found_error", "The requested resource could not be found."),
    413: ("request_too_large", "Request exceeds the maximum size"),
    422: ("invalid_request_error", "There was an issue with the format or content of your request."),
    429: ("rate_limit_error", "This request would exceed your organization's rate limit."),
    504: ("timeout_error", "The request timed out while processing."),
    529: ("overloaded_error", "Overloaded"),
}
_OTHER_ERROR = ("api_error", "Internal server error")


class Messages:
    """The dialect of Anthropic's Messages API."""

    @property
    def closing(self) -> bytes:
        return self.event({"type": "message_stop"})

    def prompt(self, fields: Mapping[str, Any]) -> Any:
        return [fields.get("system"), fields.get("messages")]

    def whole(self, answer: Completion) -> bytes:
        content = [{"type": "text", "text": answer.content}]
        usage = _usage(answer, answer.output_tokens)
        return as_json(_message(answer, usage, content=content, stop_reason="end_turn"))

    def opening(self, answer: Completion) -> list[bytes]:
        block = {"type": "text", "text": ""}
        return [
            self._message_start(answer),
            self.event({"type": "content_block_start", "index": 0, "content_block": block}),
            self.event({"type": "ping"}),
        ]

    def delta(self, answer: Completion, text: str) -> bytes:  # noqa: ARG002 - an event here does not name its answer
        delta = {"type": "text_delta", "text": text}
        return self.event({"type": "content_block_delta", "index": 0, "delta": delta})

    def ending(self, answer: Completion) -> list[bytes]:
        return [self.event({"type": "content_block_stop", "index": 0}), self._message_delta(answer)]

    def without_choices(self, answer: Completion) -> bytes:
        usage = _usage(answer, answer.output_tokens)
        return as_json(_message(answer, usage, content=[], stop_reason="end_turn"))

    def stream_without_choices(self, answer: Completion) -> list[bytes]:
        return [self._message_start(answer), self._message_delta(answer)]

    def error(self, status: int, message: str | None, detail: str) -> Any:
        kind, usual = _ERRORS.get(status, _OTHER_ERROR)
        return {"type": "error", "error": {"type": kind, "message": f"{message or usual} {detail}".rstrip()}}

    def event(self, data: Any) -> bytes:
        # Clients pass over an event without a name, so one that has no type goes under the most frequent one's.
        name = data.get("type", "content_block_delta")
        return f"event: {name}\n".encode() + b"data: " + as_json(data) + b"\n\n"

    def _message_start(self, answer: Completion) -> bytes:
        message = _message(answer, _usage(answer, 1), content=[], stop_reason=None)
        return self.event({"type": "message_start", "message": message})

    def _message_delta(self, answer: Completion) -> bytes:
        delta = {"stop_reason": "end_turn", "stop_sequence": None}
        usage = _usage(answer, answer.output_tokens)
        return self.event({"type": "message_delta", "delta": delta, "usage": usage})


def _message(
    answer: Completion, usage: dict[str, int], *, content: list[dict[str, str]], stop_reason: str | None
) -> dict[str, Any]:
    return {
        "id": f"msg_{answer.call:08d}",
        "type": "message",
        "role": "assistant",
        "model": answer.chat.model,
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": usage,
    }


def _usage(answer: Completion, output_tokens: int) -> dict[str, int]:
    return {"input_tokens": answer.input_tokens, "output_tokens": output_tokens}
