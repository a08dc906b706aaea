"""E-mail addresses, telephone numbers, payment cards and bank accounts.

Numbers of cards and accounts have check digits, which keep most other numbers out; telephone numbers are found where
they begin with their country's code. Names and addresses of people are not found.
"""

import re
from collections.abc import Iterator

_EMAIL = re.compile(r"(?<![\w.%+-])[\w.%+-]{1,64}@(?:[\w-]{1,63}\.){1,8}[A-Za-z]{2,24}\b", re.ASCII)
_PHONE = re.compile(r"(?<![\w+])\+[1-9](?:[ .()/-]{0,2}\d){7,14}(?!\d)", re.ASCII)
_CARD = re.compile(r"(?<!\d)[2-6](?:[ -]?\d){12,18}(?!\d)", re.ASCII)
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}\b", re.ASCII)
_SHORTEST_IBAN = 15


def find(text: str) -> Iterator[tuple[int, int]]:
    for pattern in (_EMAIL, _PHONE):
        yield from (match.span() for match in pattern.finditer(text))
    yield from (match.span() for match in _CARD.finditer(text) if _passes_luhn(match[0]))
    for match in _IBAN.finditer(text):
        if length := _account_length(match[0]):
            yield match.start(), match.start() + length


def _passes_luhn(number: str) -> bool:
    """Whether a card's check digit is right (ISO/IEC 7812-1)."""
    digits = [int(digit) for digit in reversed(number) if digit.isdecimal()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0


def _account_length(text: str) -> int:
    """How much of a text is an account with the right check digits (ISO 13616); words in capitals may follow it."""
    words = text.split(" ")
    while len(account := "".join(words)) >= _SHORTEST_IBAN:
        rearranged = account[4:] + account[:4]
        if int("".join(str(int(character, 36)) for character in rearranged)) % 97 == 1:
            return len(" ".join(words))
        words.pop()
    return 0
