"""What an answer will use, guessed before it is there."""

from typing import NamedTuple

from api.services.prices import estimate_cost

BYTES_PER_TOKEN = 4
"""Of UTF-8. Tokenizers of OpenAI's models come to 4 characters in English, and to 1 in Chinese, which is 3 bytes."""
COMPLETION_TOKENS = 256
"""Of an answer whose request sets no max_tokens."""


class Estimate(NamedTuple):
    """Tokens of prompt and completion together, and US dollars."""

    tokens: int
    cost: float


def estimate(model: str, prompt_bytes: int, max_tokens: int | None) -> Estimate:
    """What an answer to a prompt will use at most, or usually if nobody says how long it may be."""
    prompt = prompt_bytes // BYTES_PER_TOKEN + 1
    completion = COMPLETION_TOKENS if max_tokens is None else max_tokens
    return Estimate(prompt + completion, estimate_cost(model, prompt, completion))
