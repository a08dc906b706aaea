"""What callers receive."""

from pydantic import BaseModel


class Usage(BaseModel):
    """Tokens, as the provider reported them."""


class ChatResponse(BaseModel):
    """A completion: content, model, usage, cost and latency."""
