"""What callers receive."""

from typing import Literal

from pydantic import BaseModel

Profile = Literal["quality", "cheap", "fast", "balanced"]


class Usage(BaseModel):
    """Tokens, as the provider reported them."""

    input_tokens: int
    output_tokens: int
    total_tokens: int


class ChatResponse(BaseModel):
    """A completion. `model` is the one that answered; `cost_usd` is null if its price is not known."""

    content: str
    model: str
    usage: Usage
    cost_usd: float | None


class Selection(BaseModel):
    """A model, with the profile that it stands for and the rule that led to it."""

    model: str
    profile: Profile
    reason: str
