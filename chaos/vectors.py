"""Vectors for the stand-ins that embed texts."""

import random


def vector(text: str, dimensions: int) -> list[float]:
    """Return a unit vector that depends on the text alone; two texts share nothing but by being the same."""
    numbers = random.Random(text)  # noqa: S311 - must depend on the text, need not be secret
    raw = [numbers.uniform(-1.0, 1.0) for _ in range(dimensions)]
    length = sum(x * x for x in raw) ** 0.5
    return [x / length for x in raw]
