import re

# USD per million input and output tokens
PRICES = {
    "gpt-4o-mini": (0.15, 0.60),
    "gpt-4o": (2.50, 10.00),
    "claude-3-5-sonnet": (3.00, 15.00),
    "claude-3-opus": (15.00, 75.00),
}


def price_of(model: str) -> tuple[float, float] | None:
    """The price of a model, also under the dated name that a provider answers with."""
    return PRICES.get(re.sub(r"-(20\d\d-?\d\d-?\d\d|latest)$", "", model))


def cost_usd(model: str, input_tokens: int, output_tokens: int) -> float | None:
    price = price_of(model)
    if price is None:
        return None
    return (input_tokens * price[0] + output_tokens * price[1]) / 1_000_000
