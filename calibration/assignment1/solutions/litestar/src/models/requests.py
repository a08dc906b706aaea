"""What is let in. msgspec is strict: "1" is no number, true is no number, 1.0 is no integer."""

from typing import Annotated, Literal

from msgspec import Meta, Struct


class Message(Struct, frozen=True):
    role: Literal["system", "user", "assistant"]
    content: Annotated[str, Meta(min_length=1, max_length=32_000)]


class ChatRequest(Struct, frozen=True, kw_only=True):
    messages: Annotated[tuple[Message, ...], Meta(min_length=1, max_length=100)]
    model: str | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] = 0.7
    max_tokens: Annotated[int, Meta(ge=1, le=4096)] | None = None
    stream: bool = False

    def __post_init__(self) -> None:
        if self.messages[0].role == "assistant":
            raise ValueError("`messages` must begin with a system or a user message")
        if self.messages[-1].role != "user":
            raise ValueError("`messages` must end with a user message")
