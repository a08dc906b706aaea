from typing import Optional

from pydantic import BaseModel


class UsageInfo(BaseModel):
    input_tokens: int
    output_tokens: int
    total_tokens: int


class ChatCompletionResponse(BaseModel):
    content: str
    model: str
    usage: UsageInfo
    cost_usd: Optional[float] = None
    latency_ms: float
