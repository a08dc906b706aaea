"""Prices in US dollars for a million tokens."""

from decimal import Decimal

from src.models.responses import Usage

PRICES = {
    "gpt-4o-mini": ("0.15", "0.60"),
    "gpt-4o": ("2.50", "10.00"),
    "claude-3-5-sonnet": ("3.00", "15.00"),
    "claude-3-opus": ("15.00", "75.00"),
}


def cost_of(model: str, usage: Usage) -> float | None:
    """Return US dollars, or None for a model without a price."""
    if model not in PRICES:
        return None
    for_input, for_output = map(Decimal, PRICES[model])
    return float((usage.input_tokens * for_input + usage.output_tokens * for_output) / 1_000_000)
