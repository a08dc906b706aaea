"""What callers may send."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator


class Message(BaseModel):
    """One turn of a conversation."""

    model_config = ConfigDict(strict=True, frozen=True)

    role: Literal["system", "user", "assistant"]
    content: Annotated[str, Field(min_length=1, max_length=32_000)]


class ChatRequest(BaseModel):
    """A conversation to complete. Types are strict: a number in quotes is no number."""

    model_config = ConfigDict(strict=True, frozen=True)

    messages: Annotated[list[Message], Field(min_length=1, max_length=100)]
    model: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] = 0.7
    max_tokens: Annotated[int, Field(ge=1, le=4096)] | None = None
    stream: bool = False

    @field_validator("messages")
    @classmethod
    def _begins_with_system_or_user(cls, messages: list[Message]) -> list[Message]:
        if messages[0].role == "assistant":
            raise ValueError("the first message must be the system's or the user's")
        return messages

    @field_validator("messages")
    @classmethod
    def _ends_with_user(cls, messages: list[Message]) -> list[Message]:
        if messages[-1].role != "user":
            raise ValueError("the last message must be the user's")
        return messages
