"""The models on offer, and what a token costs where the gateway does not say."""

from dataclasses import dataclass
from enum import StrEnum


class Model(StrEnum):
    PRIMARY = "groq-kimi-primary"
    SECONDARY = "gpt-4o-secondary"
    THIRD = "gemini-third"
    FALLBACK = "openrouter-fallback"


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for a million tokens."""

    prompt: float
    completion: float


PRICES = {
    Model.PRIMARY: Price(1.00, 3.00),
    Model.SECONDARY: Price(2.50, 10.00),
    Model.THIRD: Price(0.30, 2.50),
    Model.FALLBACK: Price(1.00, 3.00),
}


def estimate_cost(model: Model, prompt_tokens: int, completion_tokens: int) -> float:
    """US dollars."""
    price = PRICES[model]
    return (prompt_tokens * price.prompt + completion_tokens * price.completion) / 1_000_000
