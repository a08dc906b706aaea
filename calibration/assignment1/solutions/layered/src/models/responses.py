"""What is answered."""

from typing import Literal

from pydantic import BaseModel, computed_field


class Usage(BaseModel):
    prompt_tokens: int
    completion_tokens: int
    estimated_cost: float | None = None

    @computed_field
    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens


class ChatResponse(BaseModel):
    content: str
    model: str
    usage: Usage
    latency_ms: float


class ProviderHealth(BaseModel):
    status: Literal["up", "down"]
    detail: str | None = None


class HealthResponse(BaseModel):
    status: Literal["healthy", "unhealthy"]
    app: str
    providers: dict[str, ProviderHealth]


class ErrorDetail(BaseModel):
    field: str
    message: str


class Error(BaseModel):
    type: str
    message: str
    request_id: str | None = None
    details: list[ErrorDetail] | None = None


class ErrorResponse(BaseModel):
    error: Error
