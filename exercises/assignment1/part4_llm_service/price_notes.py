"""Whether a service says that it does not know a price: in another field of its answer, or in a line of its log."""

import re
from collections.abc import Iterable

_ABOUT = re.compile(r"pric|cost|unknown", re.IGNORECASE)
_DENIED = re.compile(
    r"(?:pric|cost|known)\w*+[\"']?[\s:=]++[\"']?(?:false|null|none|unknown|missing|not)\b", re.IGNORECASE
)
"""A field or a word about the price, and right after it that there is none: `price_known=false`."""
_PART = re.compile(r"[\w.-]+")
_WORD = re.compile(r"[a-z_]{3,}")
_READ_CHARACTERS = 2_000
"""Of a text, so that the longest is read soon too."""


def is_noted(said: Iterable[str], usual: Iterable[str]) -> bool:
    """Whether one of these texts is a note that a price is unknown.

    A text is one if it is about prices and has a word that none of the `usual` texts has, those about models with a
    price: many services log the cost of every answer.
    """
    known = set().union(*map(_words, usual))
    beginnings = (text[:_READ_CHARACTERS] for text in said)
    return any(_ABOUT.search(text) and (_words(text) - known or _DENIED.search(text)) for text in beginnings)


def _words(text: str) -> set[str]:
    """Return the words of a text; what has digits or hyphens in it is an id, a model or a number."""
    parts = (part.strip("._-").lower() for part in _PART.findall(text[:_READ_CHARACTERS]))
    return {part for part in parts if _WORD.fullmatch(part)}
