"""Names of students as people and course tools write them: `Ada Lovelace` or `Lovelace, Ada`."""

import unicodedata


def split_name(name: str) -> tuple[str, str]:
    """Return first and last name of `Ada Lovelace` or `Lovelace, Ada`."""
    last, comma, first = name.partition(",")
    if comma:
        return first.strip(), last.strip()
    first, _, last = name.rpartition(" ")
    return first, last


def comparable(text: str) -> str:
    """Return an id or e-mail address so that it equals others that differ in case, spaces or composed accents only."""
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


def comparable_name(name: str) -> str:
    """Return a name as `comparable` does, the same for `Ada Lovelace` and `Lovelace, Ada`."""
    return comparable(" ".join(split_name(name)))
