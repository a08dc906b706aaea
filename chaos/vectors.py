"""Vectors for the stand-ins that embed texts: texts with the same words are near each other, as with a real model."""

import random
import re
from collections.abc import Iterator

_WORD = re.compile(r"\w+")
_NUMBERS_PER_WORD = 64
"""Numbers of a vector that a word adds to. Two words have few of them in common, so they are nearly orthogonal."""


def vector(text: str, dimensions: int) -> list[float]:
    """Return a unit vector that depends on the words of a text alone, whatever their order and case.

    The more words two texts share, the nearer their vectors are; those without a shared word are nearly orthogonal.
    """
    words = _WORD.findall(text.lower()) or [text]
    raw = [0.0] * dimensions
    for word in words:
        for position, number in _numbers(word, dimensions):
            raw[position] += number
    length = sum(x * x for x in raw) ** 0.5
    return [x / length for x in raw]


def _numbers(word: str, dimensions: int) -> Iterator[tuple[int, float]]:
    """Give what a word adds to a vector, and at which positions; always the same for the same word."""
    source = random.Random(word)  # noqa: S311 - must depend on the word, need not be secret
    for _ in range(_NUMBERS_PER_WORD):
        yield source.randrange(dimensions), source.uniform(-1.0, 1.0)
