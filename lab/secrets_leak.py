"""Finds the secrets of an experiment where they must not be: whole, or a good part of one."""

from collections.abc import Iterable

from chaos.history import History, Planted

TELLING_LENGTH = 12
"""So many characters in a row of a random secret are no accident; a mask may show a few at an end."""


class Leaks:
    """Looks for every secret that a history says the service was given."""

    def __init__(self, histories: Iterable[History]) -> None:
        self._owners = {
            planted.value[start : start + TELLING_LENGTH].lower(): planted.name
            for history in histories
            for planted in history.of(Planted)
            for start in range(max(1, len(planted.value) - TELLING_LENGTH + 1))
        }

    def find(self, text: str) -> str | None:
        """Return the name of a secret that shows in `text`, in capitals or not; None where none does."""
        lowered = text.lower()
        return next((name for part, name in self._owners.items() if part in lowered), None)
