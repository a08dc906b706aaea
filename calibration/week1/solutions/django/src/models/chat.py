"""Requests and responses as dataclasses."""

from dataclasses import dataclass
from typing import Any, Self


class Invalid(ValueError):
    """A body that is not what the contract says."""


def need(condition: bool, message: str) -> None:
    if not condition:
        raise Invalid(message)


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


@dataclass(frozen=True, slots=True)
class ChatRequest:
    messages: list[dict[str, str]]
    model: str | None
    temperature: float
    max_tokens: int

    @classmethod
    def load(cls, body: Any) -> Self:
        need(isinstance(body, dict), "the body must be an object")
        messages = body.get("messages")
        need(isinstance(messages, list) and len(messages) > 0, "messages: a list with at least one message")
        for index, message in enumerate(messages):
            need(isinstance(message, dict), f"messages[{index}]: an object")
            need(message.get("role") in {"system", "user", "assistant"}, f"messages[{index}].role: unknown")
            need(isinstance(message.get("content"), str), f"messages[{index}].content: a string")
        model = body.get("model")
        need(model is None or isinstance(model, str), "model: a string")
        temperature = body.get("temperature", 0.7)
        need(is_number(temperature) and 0 <= temperature <= 2, "temperature: 0 to 2")
        max_tokens = body.get("max_tokens", 1024)
        need(is_number(max_tokens) and max_tokens == int(max_tokens) and max_tokens > 0, "max_tokens: positive")
        return cls(messages, model, float(temperature), int(max_tokens))


@dataclass(frozen=True, slots=True)
class Usage:
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    estimated_cost: float | None


@dataclass(frozen=True, slots=True)
class ChatResponse:
    content: str
    model: str
    usage: Usage
