"""What a token costs, where the gateway does not say."""

from dataclasses import dataclass

from api.services.prompts import Model


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for a million tokens."""

    prompt: float
    completion: float


PRICES: dict[str, Price] = {
    Model.PRIMARY: Price(1.00, 3.00),
    Model.SECONDARY: Price(2.50, 10.00),
    Model.THIRD: Price(0.30, 2.50),
    Model.FALLBACK: Price(1.00, 3.00),
}
UNKNOWN_PRICE = Price(0.0, 0.0)


def estimate_cost(model: str, prompt_tokens: int, completion_tokens: int) -> float:
    """US dollars; 0 for a model whose price is not known here."""
    price = PRICES.get(model, UNKNOWN_PRICE)
    return (prompt_tokens * price.prompt + completion_tokens * price.completion) / 1_000_000
