"""What models cost."""

import re
from dataclasses import dataclass

from src.models.responses import Usage

_DATE = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{8}|latest)$")


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for a million tokens."""

    input: float
    output: float


PRICES = {
    "gpt-4o-mini": Price(0.15, 0.60),
    "gpt-4o": Price(2.50, 10.00),
    "claude-3-5-sonnet": Price(3.00, 15.00),
    "claude-3-opus": Price(15.00, 75.00),
}


def undated(model: str) -> str:
    """Return the name of a model without the date of its version: providers report `gpt-4o-2024-08-06`."""
    return _DATE.sub("", model)


def cost(model: str, usage: Usage) -> float | None:
    """Return what a completion costs in US dollars, or None if the model's price is not known."""
    price = PRICES.get(undated(model))
    if price is None:
        return None
    return (usage.input_tokens * price.input + usage.output_tokens * price.output) / 1_000_000
