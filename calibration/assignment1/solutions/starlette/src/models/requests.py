from itertools import pairwise
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator


class ChatMessage(BaseModel):
    model_config = ConfigDict(strict=True)

    role: Literal["system", "user", "assistant"]
    content: str = Field(min_length=1, max_length=32_000)


class ChatRequest(BaseModel):
    model_config = ConfigDict(strict=True)

    messages: list[ChatMessage] = Field(min_length=1, max_length=100)
    model: str | None = Field(default=None, min_length=1)
    temperature: float | None = Field(default=None, ge=0, le=2)
    max_tokens: int | None = Field(default=None, ge=1, le=4096)
    stream: bool | None = None

    @field_validator("messages")
    @classmethod
    def check_order(cls, messages: list[ChatMessage]) -> list[ChatMessage]:
        if messages[0].role == "assistant":
            raise ValueError("the first message is a system or a user message")
        if any(first.role == second.role for first, second in pairwise(messages)):
            raise ValueError("no role speaks twice in a row")
        return messages
