"""Finds secrets in log lines: those that the service was given or has issued, and those that were sent to it."""

from collections.abc import Callable
from typing import Any

from chaos.history import History
from exercises.exam.ex6_structured_logging.careless import sent_secrets
from lab.reading import error_fields
from lab.secrets_leak import TELLING_LENGTH, Leaks, Search

DEPTH = 8
"""How deep a record is looked into: a traceback's local variables are the fifth level."""
SIGNATURE = 20
"""Characters that a token, or the signature of one, has at least."""


def finder(history: History) -> Callable[[str], str | None]:
    """Return a function that says which of a history's secrets shows in a text, in whole or in a good part."""
    given = Leaks([history])
    handled = Search(
        {
            value[start : start + TELLING_LENGTH]: what
            for value, what in (_issued(history) | _sent(history)).items()
            for start in range(len(value) - TELLING_LENGTH + 1)
        }
    )

    def find(text: str) -> str | None:
        return handled.find(text) or given.find(text)

    return find


def place(record: Any, find: Callable[[str], str | None], depth: int = DEPTH) -> str | None:
    """Return the field of a log record that a secret shows in, such as `exception.frames.locals.token`, if it is told."""
    if isinstance(record, str):
        return "" if find(record) else None
    if not depth or not isinstance(record, dict | list):
        return None
    for name, value in record.items() if isinstance(record, dict) else (("", one) for one in record):
        if (inner := place(value, find, depth - 1)) is not None:
            return ".".join(filter(None, (name, inner)))
    return None


def _issued(history: History) -> dict[str, str]:
    """Return what makes the tokens that the service issued work: their signatures, or all of them."""
    login = history.contract.login
    answers = [
        one.answer
        for one in history.exchanges()
        if login and one.answer and one.request.path == login.path and one.status == 200
    ]
    tokens = [str(error_fields(answer).get(login.token) or "") for answer in answers if login]
    return {
        token.rpartition(".")[2]: "a token that it issued"
        for token in tokens
        if len(token.rpartition(".")[2]) >= SIGNATURE
    }


def _sent(history: History) -> dict[str, str]:
    found: dict[str, str] = {}
    for exchange in history.exchanges():
        found |= sent_secrets(exchange.request.label, exchange.request.key or "")
    return found
