import re
from typing import NamedTuple


class Price(NamedTuple):
    """Dollars for a million tokens."""

    input: float
    output: float


PRICES = {
    "gpt-4o-mini": Price(0.15, 0.60),
    "gpt-4o": Price(2.50, 10.00),
    "claude-3-5-sonnet": Price(3.00, 15.00),
    "claude-3-opus": Price(15.00, 75.00),
}

# gpt-4o-2024-11-20, claude-3-5-sonnet-20241022, claude-3-opus-latest
VERSION = re.compile(r"-(?:\d{4}-\d{2}-\d{2}|\d{8}|latest)\Z")


def cost(model: str, input_tokens: int, output_tokens: int) -> float | None:
    price = PRICES.get(VERSION.sub("", model))
    if price is None:
        return None
    return (price.input * input_tokens + price.output * output_tokens) / 1e6
