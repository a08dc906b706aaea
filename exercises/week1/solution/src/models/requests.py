"""What callers may send. Types are strict: a number in quotes is no number."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class Message(BaseModel):
    """One turn of a conversation."""

    model_config = ConfigDict(strict=True)

    role: Literal["system", "user", "assistant"]
    content: Annotated[str, Field(min_length=1, max_length=32_000)]


class ChatRequest(BaseModel):
    """A conversation to complete."""

    model_config = ConfigDict(strict=True)

    messages: Annotated[list[Message], Field(min_length=1, max_length=100)]
    model: Annotated[str, Field(min_length=1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] = 0.7
    max_tokens: Annotated[int, Field(ge=1, le=4096)] = 1024


class SelectionRequest(BaseModel):
    """Who asks for what, and for how long he waits."""

    model_config = ConfigDict(strict=True)

    tier: Literal["free", "premium", "enterprise"]
    task_complexity: Literal["simple", "moderate", "complex"]
    latency_budget_ms: Annotated[int, Field(ge=1, le=60_000)]
