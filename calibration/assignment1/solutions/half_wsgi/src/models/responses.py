"""What callers receive."""

from msgspec import Struct


class Usage(Struct, frozen=True):
    """Tokens, as the provider reported them."""

    input_tokens: int
    output_tokens: int
    total_tokens: int


class ChatResponse(Struct, frozen=True):
    """A completion; `cost_usd` is null for a model without a price."""

    content: str
    model: str
    usage: Usage
    cost_usd: float | None
    latency_ms: float


class ErrorDetail(Struct, frozen=True, omit_defaults=True):
    code: str
    message: str
    field: str | None = None


class ErrorResponse(Struct, frozen=True):
    error: ErrorDetail
