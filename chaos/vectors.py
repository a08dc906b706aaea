"""Vectors for the stand-ins that embed texts: texts with the same words are near each other, as with a real model."""

import hashlib
import math
import re
import struct
from collections import Counter

MOST_CHARACTERS = 64 * 1024
"""Of all texts in one request: each word takes some microseconds of the lab's only thread."""

_WORD = re.compile(r"\w+")
_NUMBERS_PER_WORD = 96
"""Numbers of a vector that a word adds to, or takes from. Two words have few in common, so they are nearly orthogonal."""
_NUMBER = struct.Struct("<Hb")
"""The position of a number in a vector, as a hash has it, and whether one is added. So all words weigh the same."""


def vector(text: str, dimensions: int) -> list[float]:
    """Return a unit vector that depends on the words of a text alone, whatever their order and case.

    The more words two texts share, the nearer their vectors are; those without a shared word are nearly orthogonal.
    """
    words = _WORD.findall(text.lower()) or [text]
    raw = [0.0] * dimensions
    for word, times in Counter(words).items():
        drawn = hashlib.shake_128(word.encode(errors="replace")).digest(_NUMBERS_PER_WORD * _NUMBER.size)
        for position, sign in _NUMBER.iter_unpack(drawn):
            raw[position % dimensions] += times if sign >= 0 else -times
    length = math.hypot(*raw) or 1.0
    return [x and x / length for x in raw]  # most are 0, and a division takes twice as long as a look
