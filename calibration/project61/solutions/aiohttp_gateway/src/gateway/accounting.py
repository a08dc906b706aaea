"""What an answer costs, and where that is written down."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from .catalogue import Catalogue
from .identity import Caller
from .ledger import Ledger, Record
from .metrics import Metrics

MILLION = Decimal(1_000_000)
DEFAULT_PRICE = (Decimal("0.50"), Decimal("1.50"))
PRICES = {  # US dollars for a million tokens: prompt, completion
    "groq-kimi-primary": (Decimal("1.00"), Decimal("3.00")),
    "gpt-4o-secondary": (Decimal("2.50"), Decimal("10.00")),
    "gemini-third": (Decimal("0.30"), Decimal("2.50")),
    "openrouter-fallback": (Decimal("0.50"), Decimal("1.50")),
}


def count(usage: Mapping[str, Any], name: str) -> int:
    value = usage.get(name)
    return value if isinstance(value, int) and 0 <= value < 2**53 else 0


def price(model: str, prompt: int, completion: int, headers: Mapping[str, str]) -> Decimal:
    """As the backend says, or by the table."""
    try:
        told = Decimal(headers["x-litellm-response-cost"])
        if told.is_finite() and 0 <= told < MILLION:
            return told
    except (KeyError, InvalidOperation):
        pass
    per_prompt, per_completion = PRICES.get(model, DEFAULT_PRICE)
    return (prompt * per_prompt + completion * per_completion) / MILLION


class Accounting:
    def __init__(self, ledger: Ledger, metrics: Metrics, catalogue: Catalogue) -> None:
        self._ledger = ledger
        self._metrics = metrics
        self._catalogue = catalogue

    def book(self, caller: Caller, model: str, usage: Mapping[str, Any], headers: Mapping[str, str]) -> None:
        """Called before the caller has the whole answer. Does not wait for anything."""
        prompt, completion = count(usage, "prompt_tokens"), count(usage, "completion_tokens")
        cost = price(model, prompt, completion, headers)
        self._ledger.append(Record.new(caller.name, model, prompt, completion, cost))
        label = self._catalogue.label(model)
        self._metrics.tokens.labels(label, "prompt").inc(prompt)
        self._metrics.tokens.labels(label, "completion").inc(completion)
        self._metrics.cost.labels(label).inc(float(cost))
