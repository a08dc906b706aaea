"""What is answered."""

from typing import Literal

from msgspec import UNSET, Struct, UnsetType


class Usage(Struct, frozen=True):
    input_tokens: int
    output_tokens: int
    total_tokens: int


class ChatResponse(Struct, frozen=True, kw_only=True):
    content: str
    model: str
    usage: Usage
    cost_usd: float | None
    latency_ms: float


class Health(Struct, frozen=True):
    status: Literal["healthy", "unhealthy"]
    provider: Literal["reachable", "unreachable"]
    app: str


class Error(Struct, frozen=True, kw_only=True):
    error: str
    message: str
    field: str | UnsetType = UNSET
    request_id: str
