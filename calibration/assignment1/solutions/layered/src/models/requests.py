"""What is let in."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

MAX_TOKENS = 4096


class Message(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    role: Literal["system", "user", "assistant"]
    content: Annotated[str, Field(min_length=1, max_length=32_000)]


class ChatRequest(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    messages: Annotated[list[Message], Field(min_length=1, max_length=100)]
    model: Annotated[str, Field(min_length=1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.7
    max_tokens: Annotated[int, Field(ge=1, le=MAX_TOKENS)] | None = None
    stream: bool = False

    @field_validator("messages")
    @classmethod
    def starts_with_system_or_user(cls, messages: list[Message]) -> list[Message]:
        if messages[0].role == "assistant":
            raise ValueError("a conversation begins with a system or a user message")
        return messages

    @field_validator("messages")
    @classmethod
    def system_message_only_first(cls, messages: list[Message]) -> list[Message]:
        for index, message in enumerate(messages[1:], start=1):
            if message.role == "system":
                raise ValueError(f"message {index}: a system message may only be the first message")
        return messages
