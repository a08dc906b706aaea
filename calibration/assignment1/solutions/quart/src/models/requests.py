"""What callers may send: msgspec structs with the bounds of the contract."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

Content = Annotated[str, Meta(min_length=1, max_length=32_000)]


class Message(Struct, frozen=True):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: Content


class ChatRequest(Struct, frozen=True, omit_defaults=True):
    """A conversation, and how to complete it."""

    messages: Annotated[list[Message], Meta(min_length=1, max_length=100)]
    model: Annotated[str, Meta(min_length=1)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] = 0.7
    max_tokens: Annotated[int, Meta(ge=1, le=4096)] | None = None
    stream: bool = False

    def __post_init__(self) -> None:
        first, *others = self.messages
        if first.role == "assistant":
            raise ValueError("messages must begin with a system or a user message")
        if any(message.role == "system" for message in others):
            raise ValueError("messages may have a system message only at the beginning")
