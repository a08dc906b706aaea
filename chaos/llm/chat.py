"""A chat call and its answer, whatever API they are in."""

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Chat:
    """What one chat call asks for, with the key that it is about.

    `prompt` is the JSON of what the model is told. `include_usage` asks for the tokens of a streamed answer.
    """

    key: str | None
    model: str
    prompt: str
    stream: bool
    include_usage: bool


@dataclass(frozen=True, slots=True)
class Completion:
    """An answer to a chat call: what it says, under the number of its call, and the tokens that it reports."""

    chat: Chat
    call: int
    content: str
    input_tokens: int
    output_tokens: int

    @property
    def words(self) -> list[str]:
        """The content in pieces, each with the blank before it."""
        first, *rest = self.content.split(" ")
        return [first, *(f" {word}" for word in rest)]


def as_json(data: Any) -> bytes:
    return json.dumps(data, ensure_ascii=False).encode()


def tokens(text: str) -> int:
    """About how many tokens a model would count in `text`: four characters each."""
    return max(1, len(text) // 4)


def encodable(text: str) -> str:
    """Return `text` with a question mark for every lone surrogate, which JSON can hold and UTF-8 cannot."""
    return text.encode(errors="replace").decode()
