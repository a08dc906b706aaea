from pydantic import BaseModel


class TokenUsage(BaseModel):
    input_tokens: int
    output_tokens: int
    total_tokens: int


class ChatResponse(BaseModel):
    content: str
    model: str
    usage: TokenUsage
    cost: float
    price_known: bool
    latency_ms: float


class HealthResponse(BaseModel):
    app: str
    status: str
    provider: str


class FieldError(BaseModel):
    field: str
    reason: str


class ErrorResponse(BaseModel):
    code: str
    message: str
    errors: list[FieldError] = []
