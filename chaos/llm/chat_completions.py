"""Chat completions: what OpenAI's API and LiteLLM put on the wire, whole and in chunks.

The formats are those of https://platform.openai.com/docs/api-reference/chat.
"""

import time
from collections.abc import Mapping
from typing import Any

from chaos.llm.chat import Completion, as_json

# What LiteLLM calls a failure with this status, and what it says of it.
_ERRORS = {
    400: ("invalid_request_error", "litellm.BadRequestError: the request was rejected by the model provider"),
    401: ("auth_error", "litellm.AuthenticationError: incorrect API key provided"),
    403: ("permission_denied", "litellm.PermissionDeniedError: access to this model is denied"),
    404: ("not_found_error", "litellm.NotFoundError: the model does not exist"),
    408: ("timeout_error", "litellm.Timeout: the model provider timed out"),
    422: ("invalid_request_error", "litellm.UnprocessableEntityError: the request could not be processed"),
    429: ("throttling_error", "litellm.RateLimitError: rate limit reached for requests"),
    503: ("service_unavailable", "litellm.ServiceUnavailableError: the model is overloaded"),
    504: ("timeout_error", "litellm.Timeout: the gateway timed out"),
}
_OTHER_ERROR = ("internal_server_error", "litellm.InternalServerError: the model provider failed")


class ChatCompletions:
    """The dialect of OpenAI's Chat Completions API."""

    closing = b"data: [DONE]\n\n"

    def prompt(self, fields: Mapping[str, Any]) -> Any:
        return fields.get("messages")

    def whole(self, answer: Completion) -> bytes:
        message = {"role": "assistant", "content": answer.content}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return as_json({**_envelope(answer, "chat.completion"), "choices": [choice], "usage": _usage(answer)})

    def opening(self, answer: Completion) -> list[bytes]:
        return [self._chunk(answer, {"role": "assistant", "content": ""})]

    def delta(self, answer: Completion, text: str) -> bytes:
        return self._chunk(answer, {"content": text})

    def ending(self, answer: Completion) -> list[bytes]:
        end = self._chunk(answer, {}, "stop")
        if not answer.chat.include_usage:
            return [end]
        usage = {**_envelope(answer, "chat.completion.chunk"), "choices": [], "usage": _usage(answer)}
        return [end, self.event(usage)]

    def without_choices(self, answer: Completion) -> bytes:
        return as_json({**_envelope(answer, "chat.completion"), "choices": []})

    def stream_without_choices(self, answer: Completion) -> list[bytes]:
        return [self.event({**_envelope(answer, "chat.completion.chunk"), "choices": []})]

    def error(self, status: int, message: str | None, detail: str) -> Any:
        kind, usual = _ERRORS.get(status, _OTHER_ERROR)
        text = f"{message or usual} {detail}".rstrip()
        return {"error": {"message": text, "type": kind, "param": None, "code": str(status)}}

    def event(self, data: Any) -> bytes:
        return b"data: " + as_json(data) + b"\n\n"

    def _chunk(self, answer: Completion, delta: Mapping[str, Any], finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        return self.event({**_envelope(answer, "chat.completion.chunk"), "choices": [choice]})


def _envelope(answer: Completion, kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{answer.call:08d}",
        "object": kind,
        "created": int(time.time()),
        "model": answer.chat.model,
        "system_fingerprint": None,
    }


def _usage(answer: Completion) -> dict[str, int]:
    return {
        "prompt_tokens": answer.input_tokens,
        "completion_tokens": answer.output_tokens,
        "total_tokens": answer.input_tokens + answer.output_tokens,
    }
