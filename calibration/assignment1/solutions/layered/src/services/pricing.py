"""What a completion costs."""

import re
from decimal import Decimal

MILLION = Decimal(1_000_000)

# US dollars per million tokens: input, output.
PRICES: dict[str, tuple[Decimal, Decimal]] = {
    "gpt-4o-mini": (Decimal("0.15"), Decimal("0.60")),
    "gpt-4o": (Decimal("2.50"), Decimal("10.00")),
    "claude-3-5-sonnet": (Decimal("3.00"), Decimal("15.00")),
    "claude-3-opus": (Decimal("15.00"), Decimal("75.00")),
}

# Providers answer with dated names: gpt-4o-2024-08-06, claude-3-opus-20240229.
DATE = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{8}|latest)$")


def cost_of(model: str, input_tokens: int, output_tokens: int) -> float | None:
    """Dollars, or None for a model without a price."""
    price = PRICES.get(model) or PRICES.get(DATE.sub("", model))
    if price is None:
        return None
    return float((price[0] * input_tokens + price[1] * output_tokens) / MILLION)
