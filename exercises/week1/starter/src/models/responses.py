"""What callers receive."""

from pydantic import BaseModel


class Usage(BaseModel):
    """Tokens, as the provider reported them."""

    input_tokens: int
    output_tokens: int
    total_tokens: int


class ChatResponse(BaseModel):
    """A completion. `model` is the one that answered, and `cost_usd` is what that one costs."""

    content: str
    model: str
    usage: Usage
    cost_usd: float | None
