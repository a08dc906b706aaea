"""Steps that send part of an answer, and then something else than the rest."""

from dataclasses import dataclass, field

from chaos.llm.chat import Completion
from chaos.llm.steps import Outcome, Turn, half


@dataclass(frozen=True, slots=True)
class Truncated:
    """Promise a whole body, send half of it and close the connection."""

    name: str = field(default="truncated", init=False)

    async def play(self, turn: Turn) -> Outcome:
        await _begin(turn)
        turn.responder.close()
        return "broken"


@dataclass(frozen=True, slots=True)
class StalledStream:
    """Send half of the answer, then nothing more until the client is gone."""

    name: str = field(default="stalled-stream", init=False)

    async def play(self, turn: Turn) -> Outcome:
        await _begin(turn)
        await turn.responder.hang()


@dataclass(frozen=True, slots=True)
class BrokenStream:
    """Send half of the answer and end it as if that were all: for HTTP whole, but without the stream's closing."""

    name: str = field(default="broken-stream", init=False)

    async def play(self, turn: Turn) -> Outcome:
        await turn.start()
        await turn.responder.write(_first_half(turn, turn.completion()))
        await turn.responder.finish()
        return "broken"


async def _begin(turn: Turn) -> None:
    """Send the head of a whole answer and half of its body."""
    answer = turn.completion()
    await turn.start(length=None if turn.chat.stream else len(turn.body(answer)))
    await turn.responder.write(_first_half(turn, answer))


def _first_half(turn: Turn, answer: Completion) -> bytes:
    """Return half of a body; of a stream, the opening and half of the words."""
    if not turn.chat.stream:
        return half(turn.body(answer))
    words = answer.words
    deltas = [turn.dialect.delta(answer, word) for word in words[: len(words) // 2]]
    return b"".join([*turn.dialect.opening(answer), *deltas])
