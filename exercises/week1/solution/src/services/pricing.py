"""What models cost."""

import re

from src.models.responses import Usage

PRICES = {"gpt-4o": (2.50, 10.00), "gpt-4o-mini": (0.15, 0.60)}
"""US dollars for a million input tokens, and for a million output tokens."""

_DATE = re.compile(r"-\d{4}-\d{2}-\d{2}$")


def cost(model: str, usage: Usage) -> float | None:
    """Return what a completion costs in US dollars, or None if the model's price is not known.

    A model's date does not matter: OpenAI reports `gpt-4o-2024-08-06`.
    """
    prices = PRICES.get(_DATE.sub("", model))
    if prices is None:
        return None
    return (usage.input_tokens * prices[0] + usage.output_tokens * prices[1]) / 1_000_000
