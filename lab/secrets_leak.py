"""Finds the secrets of an experiment where they must not be: whole, or a good part of one."""

import base64
from collections.abc import Iterable, Iterator, Mapping

from chaos.history import History, Planted

TELLING_LENGTH = 12
"""So many characters in a row of a random secret are no accident; a mask may show a few at an end."""
_MARK_LENGTH = TELLING_LENGTH // 2
"""Characters: neighbouring parts of a secret have so many in common."""
_ENCODED_LENGTH = 16
"""The Base64 of as many characters as tell."""


class Search:
    """Looks for many pieces in many texts; `names` says what each piece belongs to.

    Every piece contains one of a few marks. Texts without any of them, which is nearly all, are searched for no more.
    """

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names
        self._marks: list[str] = []
        for piece in names:
            if not any(mark in piece for mark in self._marks):
                self._marks.append(piece[-_MARK_LENGTH:])

    def find(self, text: str) -> str | None:
        """Return the name of the first piece that is in a text; None if none is."""
        if not any(map(text.__contains__, self._marks)):
            return None
        return next((name for piece, name in self._names.items() if piece in text), None)


class Leaks:
    """Looks for every secret that a history says the service was given, as it is and in Base64."""

    def __init__(self, histories: Iterable[History]) -> None:
        self._search = Search(
            {
                part.lower(): planted.name
                for history in histories
                for planted in history.of(Planted)
                for part in _parts(planted.value)
            }
        )

    def find(self, text: str) -> str | None:
        """Return the name of a secret that shows in `text`, in capitals or not; None where none does."""
        return self._search.find(text.lower())


def _parts(value: str) -> Iterator[str]:
    """Yield what shows a secret: every part of it that tells, and the pieces of its Base64, whose last one may be short.

    A key that is published as a JSON Web Key is in the latter form (RFC 7518, section 6.4).
    """
    yield from (
        value[start : start + TELLING_LENGTH] for start in range(max(1, len(value) - TELLING_LENGTH + 1))
    )
    encoded = base64.urlsafe_b64encode(value.encode()).decode().rstrip("=")
    ends = range(_ENCODED_LENGTH, len(encoded) + 1, _ENCODED_LENGTH)
    yield from (encoded[end - _ENCODED_LENGTH : end] for end in ends)
