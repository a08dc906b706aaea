"""What callers receive."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

TokenCount = Annotated[int, Field(ge=0)]


class Usage(BaseModel):
    """Tokens, as the provider reported them."""

    input_tokens: TokenCount
    output_tokens: TokenCount
    total_tokens: TokenCount


class ChatResponse(BaseModel):
    """A completion. `model` is the one that answered; `cost_usd` is null if its price is not known."""

    content: str
    model: str
    usage: Usage
    cost_usd: float | None
    latency_ms: float


class HealthResponse(BaseModel):
    """The state of the service and of each provider.

    `degraded` means that only the second provider is down.
    """

    status: Literal["ok", "degraded", "unavailable"]
    app: str
    providers: dict[str, Literal["up", "down"]]


class FieldError(BaseModel):
    field: str
    message: str


class ErrorDetail(BaseModel):
    type: str
    message: str
    request_id: str
    fields: list[FieldError] = []


class ErrorResponse(BaseModel):
    """The body of every error."""

    error: ErrorDetail
