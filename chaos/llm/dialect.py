"""What differs between the APIs that the stand-in speaks; the steps are the same for all of them."""

from collections.abc import Mapping
from typing import Any, Protocol

from chaos.llm.chat import Completion


class Dialect(Protocol):
    """How one API reads prompts, and puts answers and errors on the wire.

    A stream is `opening`, one `delta` for each word, `ending` and `closing`.
    """

    @property
    def closing(self) -> bytes:
        """The last bytes of a stream, by which a client knows that it is whole."""

    def prompt(self, fields: Mapping[str, Any]) -> Any:
        """Return what the body of a call tells the model, in the order in which it reads it."""

    def whole(self, answer: Completion) -> bytes:
        """Return an answer that is not streamed."""

    def opening(self, answer: Completion) -> list[bytes]:
        """Return the events of a stream before the first word."""

    def delta(self, answer: Completion, text: str) -> bytes:
        """Return the event of a stream that adds `text` to the answer."""

    def ending(self, answer: Completion) -> list[bytes]:
        """Return the events of a stream after the last word: why it ends, and the tokens."""

    def without_choices(self, answer: Completion) -> bytes:
        """Return an answer that is not streamed and holds no text at all."""

    def stream_without_choices(self, answer: Completion) -> list[bytes]:
        """Return the events of a stream that holds no text at all, without `closing`."""

    def error(self, status: int, message: str | None, detail: str) -> Any:
        """Return the body of an error, by default with the usual message for `status`; `detail` is added to it."""

    def event(self, data: Any) -> bytes:
        """Return `data` as an event of a stream."""
