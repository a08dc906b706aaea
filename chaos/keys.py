"""Nonces that tie a prompt to the upstream calls, answers and traces that it caused.

Every prompt carries a key. The scripted LLM answers it with a text that holds another nonce, derived from the
key, so neither a canned answer nor an echo of the prompt looks like the real thing.
"""

import hashlib
import random
import re
from collections.abc import Iterator

KEY_PATTERN = r"ref-(?:[0-9][a-f]){6}"
"""Digits and letters alternate, so that no filter takes a key for a telephone or card number."""

_KEY = re.compile(KEY_PATTERN.encode())

_CODE_PAIRS = 6
_CODE_LETTERS = "ghjkmnpqrstvwxyz"
_CODE = re.compile(f"(?:[0-9][{_CODE_LETTERS}]){{{_CODE_PAIRS}}}".encode())
_SENTENCES = (
    "The catalogue lists this entry under shelf mark {code}.",
    "According to the register, the matching record is number {code}.",
    "The closest match in the archive is filed as {code}.",
    "That question was settled long ago; see the note marked {code}.",
)


class Keys(Iterator[str]):
    """An endless supply of distinct keys: the same ones for the same seed and scope (an experiment's name)."""

    def __init__(self, seed: int, scope: str) -> None:
        self._random = random.Random(f"{seed}/{scope}")  # noqa: S311 - must be replayable, need not be secret
        self._given: set[str] = set()

    def __next__(self) -> str:
        key = "ref-" + "".join(
            self._random.choice("0123456789") + self._random.choice("abcdef") for _ in range(6)
        )
        if key in self._given:
            return next(self)
        self._given.add(key)
        return key


def find_keys(text: str | bytes) -> list[str]:
    """All distinct keys in `text`, in the order in which they first stand there."""
    raw = text.encode() if isinstance(text, str) else text
    return list(dict.fromkeys(match.decode() for match in _KEY.findall(raw)))


def find_key(text: str | bytes) -> str | None:
    """The key that `text` is about.

    That is the last one where there are several: a service that sends earlier turns along puts them first.
    """
    raw = text.encode() if isinstance(text, str) else text
    found = _KEY.findall(raw)
    return found[-1].decode() if found else None


def answer_code(key: str) -> str:
    """The nonce that only an answer to the prompt with `key` holds; it does not look like a key."""
    digest = hashlib.sha256(key.encode()).digest()
    return "".join(f"{byte % 10}{_CODE_LETTERS[byte // 10 % 16]}" for byte in digest[:_CODE_PAIRS])


def find_answer_codes(text: str | bytes) -> list[str]:
    """All distinct strings in `text` that have the form of an `answer_code`."""
    raw = text.encode() if isinstance(text, str) else text
    return list(dict.fromkeys(match.decode() for match in _CODE.findall(raw)))


def expected_answer(key: str) -> str:
    """What the scripted LLM answers a prompt with `key`: a sentence that ends in its `answer_code`."""
    sentence = _SENTENCES[hashlib.sha256(key.encode()).digest()[-1] % len(_SENTENCES)]
    return sentence.format(code=answer_code(key))
