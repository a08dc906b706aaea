"""Finds secrets in a database's dump, in the forms that can be read back."""

import base64
from collections.abc import Iterator

LEAST = 12
"""A shorter part of a key, such as the prefix that tells keys apart in a list, gives nothing away."""


def readable_form(secret: str, dump: str) -> str:
    """Return in which form a dump holds a secret or most of it; an empty string if in none."""
    lower = dump.lower()
    for name, text, exact in _forms(secret):
        if text in dump if exact else text.lower() in lower:
            return name
    return ""


def _forms(secret: str) -> Iterator[tuple[str, str, bool]]:
    """Yield the forms of a secret, each with its name, its text and whether case matters in it.

    Bytes stand in a dump as hexadecimal digits, so that every form may be written in them.
    """
    for name, data in _encodings(secret):
        yield name, data.decode(), True
        yield f"{name}, as bytes" if name != "plain text" else "hexadecimal digits", data.hex(), False


def _encodings(secret: str) -> Iterator[tuple[str, bytes]]:
    yield "plain text", secret.encode()
    half = secret[len(secret) // 2 :]
    if len(half) >= LEAST:
        yield "plain text", half.encode()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield "base64", encode(secret.encode()).rstrip(b"=")
    yield "reversed text", secret[::-1].encode()
