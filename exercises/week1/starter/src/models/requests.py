"""What callers may send."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field


class Message(BaseModel):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


class ChatRequest(BaseModel):
    """A conversation to complete."""

    messages: Annotated[list[Message], Field(min_length=1)]
    model: str | None = None
    temperature: float = 0.7
    max_tokens: int = 1024
